#include <cstddef>
#include <cstdint>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("arch=x86-64-v4")
#endif
#define FASTSPEC_LEVEL v4
#define FASTSPEC_REGISTER 64
#include "pairs.inc"

namespace fastspec {
const PairLevel pairs_v4{v4::pair_table<float>(), v4::pair_table<double>()};
}  // namespace fastspec
