#include <cstddef>
#include <cstdint>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("arch=x86-64-v3")
#endif
#define FASTSPEC_LEVEL v3
#define FASTSPEC_REGISTER 32
#include "pairs.inc"

namespace fastspec {
const PairLevel pairs_v3{v3::pair_table<float>(), v3::pair_table<double>()};
}  // namespace fastspec
