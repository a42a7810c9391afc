#define FASTSPEC_LEVEL generic
#include "pairs.inc"

namespace fastspec {
const PairLevel pairs_generic{generic::pair_table<float>(), generic::pair_table<double>()};
}  // namespace fastspec
