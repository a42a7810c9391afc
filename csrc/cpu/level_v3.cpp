#include <cstddef>
#include <cstdint>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("arch=x86-64-v3")
#define FASTSPEC_SUPPORTED __builtin_cpu_supports("x86-64-v3")
#else
#define FASTSPEC_SUPPORTED false
#endif
#define FASTSPEC_LEVEL v3
#define FASTSPEC_REGISTER_BYTES 32
#include "level.inc"

namespace fastspec {
static bool supported() { return FASTSPEC_SUPPORTED; }
const Level level_v3{"v3", supported, v3::table<float>(), v3::table<double>()};
}  // namespace fastspec
