#define FASTSPEC_LEVEL generic
#define FASTSPEC_REGISTER 16
#include "level.inc"

namespace fastspec {
static bool always() { return true; }
const Level level_generic{"generic", always, generic::table<float>(), generic::table<double>()};
}  // namespace fastspec
