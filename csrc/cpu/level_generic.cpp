#define FASTSPEC_LEVEL generic
#include "level.inc"

namespace fastspec {
static bool always() { return true; }
const Level level_generic{"generic", always, generic::table<float>(), generic::table<double>()};
}  // namespace fastspec
