// A block of threads. A stage's block is written once, as steps that end at a barrier:
//
//     template <class Block> FASTSPEC_BOTH void run(Block& block, int index) const {
//       block.each([&](int thread) { ... });  // every thread, then all wait
//       block.each([&](int thread) { ... });
//     }
//
// What stands between the steps is the same in every thread, and reads no memory that a step writes. So the very same
// code runs on a GPU and, thread after thread, in the tests on a CPU.
#pragma once
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "../plan/fold.h"

#ifdef __CUDACC__
#include <cuda_runtime.h>
#define FASTSPEC_FORCE_INLINE __host__ __device__ __forceinline__
#define FASTSPEC_UNROLLED _Pragma("unroll")
#define FASTSPEC_ROLLED _Pragma("unroll 1")
#else
#define FASTSPEC_FORCE_INLINE inline __attribute__((always_inline))
#define FASTSPEC_UNROLLED
#define FASTSPEC_ROLLED
#endif

namespace fastspec::cuda {

#ifdef __CUDACC__
struct DeviceBlock {
  char* shared;

  template <class Step>
  __device__ __forceinline__ void each(Step&& step) {
    step(int(threadIdx.x));
    __syncthreads();
  }
};

template <class Work>
__global__ void __launch_bounds__(Work::kMostThreads, Work::kLeastBlocks) kernel(const __grid_constant__ Work work) {
  extern __shared__ __align__(16) char shared[];
  DeviceBlock block{shared};
  work.run(block, int(blockIdx.x));
}
#endif

// What differs between a GPU and its emulation, number by number.

template <class T>
FASTSPEC_FORCE_INLINE void add_atomically(T* to, T value) {
#ifdef __CUDA_ARCH__
  atomicAdd(to, value);
#elif defined(FASTSPEC_RACES)
  std::atomic_ref<T>(*to).fetch_add(value);
#else
  *to += value;
#endif
}

// Real numbers, or complex ones as pairs.
template <int Parts, class T>
FASTSPEC_FORCE_INLINE void add_number(T* to, const T* value) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  if constexpr (Parts == 2 && sizeof(T) == 4) {
    atomicAdd(reinterpret_cast<float2*>(to), make_float2(value[0], value[1]));
  } else
#endif
    for (int q = 0; q < Parts; ++q) add_atomically(to + q, value[q]);
}

}  // namespace fastspec::cuda
