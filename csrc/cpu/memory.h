// Work space of kernels. Where there is no memory: see failures.h.
#pragma once
#include <cstddef>

namespace fastspec {

// Aligned scratch memory of the calling thread; what an earlier call returned there is lost.
void* scratch(size_t bytes);

// As large as the data, so it must not outlive the call: given back by release.
void* allocate(size_t bytes);
void release(void* memory);

}  // namespace fastspec
