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

// Neighbouring threads of one warp, which need no barrier to see each other's numbers:
//
//     lanes.each([&](int lane) { ... });  // every lane
//     lanes.one([&] { ... });             // the first alone
//     lanes.meet();                       // what all wrote to shared memory is seen by all
//     PerLane<T> numbers;                 // one to a lane: numbers[lane]
//     lanes.from(numbers, lane)           // another's, to all
//     lanes.sum(numbers)                  // of all, to the first

#ifdef __CUDACC__
template <int Lanes>
struct DeviceLanes {
  template <class T>
  struct PerLane {
    T number;
    __device__ __forceinline__ T& operator[](int) { return number; }
    __device__ __forceinline__ const T& operator[](int) const { return number; }
  };

  template <class Step>
  __device__ __forceinline__ void each(Step&& step) const {
    step(int(threadIdx.x) % Lanes);
  }
  template <class Step>
  __device__ __forceinline__ void one(Step&& step) const {
    if (threadIdx.x % Lanes == 0) step();
  }
  __device__ __forceinline__ void meet() const { __syncwarp(mask()); }
  template <class T>
  __device__ __forceinline__ T from(const PerLane<T>& numbers, int lane) const {
    return __shfl_sync(mask(), numbers.number, lane, Lanes);
  }
  template <class T>
  __device__ __forceinline__ T sum(const PerLane<T>& numbers) const {
    T total = numbers.number;
    FASTSPEC_UNROLLED
    for (int far = Lanes / 2; far > 0; far /= 2) total += __shfl_xor_sync(mask(), total, far, Lanes);
    return total;
  }

 private:
  // Of these lanes alone: other groups of the warp may have left their loop.
  __device__ __forceinline__ unsigned mask() const {
    return (Lanes == 32 ? ~0u : (1u << Lanes % 32) - 1) << (threadIdx.x % 32 / Lanes * Lanes);
  }
};

struct DeviceBlock {
  char* shared;

  template <class Step>
  __device__ __forceinline__ void each(Step&& step) {
    step(int(threadIdx.x));
    __syncthreads();
  }
  // The same, of groups of `Lanes` neighbours that work together: step(lanes, group).
  template <int Lanes, class Step>
  __device__ __forceinline__ void each_group(Step&& step) {
    step(DeviceLanes<Lanes>{}, int(threadIdx.x) / Lanes);
    __syncthreads();
  }
};

template <class Work>
__global__ void __launch_bounds__(Work::kMostThreads, Work::kLeastBlocks) kernel(const __grid_constant__ Work work) {
  extern __shared__ __align__(16) char shared[];
  DeviceBlock block{shared};
  work.run(block, int(blockIdx.x));
}
#else
template <int Lanes>
struct HostLanes {
  template <class T>
  struct PerLane {
    T numbers[Lanes];
    T& operator[](int lane) { return numbers[lane]; }
    const T& operator[](int lane) const { return numbers[lane]; }
  };

  template <class Step>
  void each(Step&& step) const {
    for (int lane = 0; lane < Lanes; ++lane) step(lane);
  }
  template <class Step>
  void one(Step&& step) const {
    step();
  }
  void meet() const {}
  template <class T>
  T from(const PerLane<T>& numbers, int lane) const {
    return numbers.numbers[lane];
  }
  // As a GPU adds: halves to halves.
  template <class T>
  T sum(PerLane<T> n) const {
    for (int far = Lanes / 2; far > 0; far /= 2)
      for (int lane = 0; lane < far; ++lane) n.numbers[lane] += n.numbers[lane + far];
    return n.numbers[0];
  }
};
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
