// What ends an op within a kernel: each throws std::runtime_error. Apart from the kernels, which use nothing of the
// standard library.
#pragma once

namespace fastspec {

[[noreturn]] void no_memory(double bytes_asked_for);
[[noreturn]] void refuse_places();

}  // namespace fastspec
