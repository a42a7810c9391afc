#include <cstddef>
#include <cstdint>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("arch=x86-64-v4")
#define FASTSPEC_SUPPORTED __builtin_cpu_supports("x86-64-v4")
#else
#define FASTSPEC_SUPPORTED false
#endif
#define FASTSPEC_LEVEL v4
#define FASTSPEC_REGISTER_BYTES 64
#include "level.inc"

namespace fastspec {
static bool supported() { return FASTSPEC_SUPPORTED; }
const Level level_v4{"v4", supported, v4::table<float>(), v4::table<double>()};
}  // namespace fastspec
