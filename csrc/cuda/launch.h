// Launches a stage's blocks on a stream; in an emulation, runs them one after the other.
#pragma once
#include <stdexcept>
#include <string>

#include "block.h"

#ifndef __CUDACC__
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>
#endif

namespace fastspec::cuda {

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Blocks, threads of each, and its shared memory in bytes.
struct Shape {
  int64_t blocks;
  int threads;
  size_t shared;
};

#ifdef __CUDACC__

inline void check(cudaError_t status) {
  if (status != cudaSuccess) throw std::runtime_error(std::string("fastspec on CUDA: ") + cudaGetErrorString(status));
}

inline int device_attribute(cudaDeviceAttr attribute) {
  int device, value;
  check(cudaGetDevice(&device));
  check(cudaDeviceGetAttribute(&value, attribute, device));
  return value;
}

inline size_t most_shared() { return size_t(device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin)); }
inline int processors() { return device_attribute(cudaDevAttrMultiProcessorCount); }

inline void clear(void* to, size_t bytes, void* stream) {
  if (bytes > 0) check(cudaMemsetAsync(to, 0, bytes, static_cast<cudaStream_t>(stream)));
}

template <class Work>
void launch(const Work& work, const Shape& s, void* stream) {
  constexpr size_t little = 8 << 10, without_asking = 48 << 10;
  if (s.blocks == 0) return;
  if (s.blocks >= int64_t(1) << 31) throw std::runtime_error("fastspec on CUDA: too many points and channels at once");
  if (s.shared > without_asking)  // for all there is: another thread may be about to launch the same kernel with more
    check(cudaFuncSetAttribute(kernel<Work>, cudaFuncAttributeMaxDynamicSharedMemorySize, int(most_shared())));
  if (s.shared > little)  // room for several blocks, rather than a larger cache
    check(cudaFuncSetAttribute(kernel<Work>, cudaFuncAttributePreferredSharedMemoryCarveout,
                               int(cudaSharedmemCarveoutMaxShared)));
  kernel<Work><<<unsigned(s.blocks), unsigned(s.threads), s.shared, static_cast<cudaStream_t>(stream)>>>(work);
  check(cudaGetLastError());
}

#else

constexpr size_t kEmulatedShared = 227 << 10;

// Tests ask for less, to see what is done without.
inline size_t most_shared() {
  const char* asked = std::getenv("FASTSPEC_EMULATED_SHARED");
  return asked ? std::strtoull(asked, nullptr, 10) : kEmulatedShared;
}
inline int processors() { return 4; }  // few, so that small problems have blocks of many points
inline void clear(void* to, size_t bytes, void*) {
  if (bytes > 0) std::memset(to, 0, bytes);
}

#ifdef FASTSPEC_RACES

// For ThreadSanitizer: two threads share the blocks of a launch at random, and two more those of each step, so that it
// sees whatever two threads of a GPU do to the same number without a barrier between them.
inline bool drawn(uint64_t item, uint64_t seed) {
  uint64_t mixed = (item + (seed << 32)) * 0x9E3779B97F4A7C15;
  mixed = (mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9;
  return (mixed ^ mixed >> 32) & 1;
}

template <class Body>
void in_two(int64_t count, uint64_t seed, Body&& body) {
  auto share = [&](bool which) {
    for (int64_t i = 0; i < count; ++i)
      if (drawn(uint64_t(i), seed) == which) body(i);
  };
  std::thread other(share, true);
  share(false);
  other.join();
}

struct HostBlock {
  char* shared;
  int threads;
  uint64_t seed;

  template <class Step>
  void each(Step&& step) {
    in_two(threads, ++seed, [&](int64_t t) { step(int(t)); });
  }
  template <int Lanes, class Step>
  void each_group(Step&& step) {
    in_two(threads / Lanes, ++seed, [&](int64_t group) { step(HostLanes<Lanes>(), int(group)); });
  }
};

template <class Work>
void launch(const Work& work, const Shape& s, void*) {
  static uint64_t seed = 0;
  in_two(s.blocks, ++seed, [&](int64_t i) {
    std::vector<double> shared((s.shared + 7) / 8);
    HostBlock block{reinterpret_cast<char*>(shared.data()), s.threads, seed * 1000 + uint64_t(i)};
    work.run(block, int(i));
  });
}

#else

// Every other launch runs its threads from the last to the first, and its blocks likewise: a step whose outcome depends
// on their order shows as a difference. Shared memory begins as NaN.
struct HostBlock {
  char* shared;
  int threads;
  bool backwards;

  template <class Step>
  void each(Step&& step) {
    for (int t = 0; t < threads; ++t) step(backwards ? threads - 1 - t : t);
  }
  template <int Lanes, class Step>
  void each_group(Step&& step) {
    const int groups = threads / Lanes;
    for (int g = 0; g < groups; ++g) step(HostLanes<Lanes>(), backwards ? groups - 1 - g : g);
  }
};

template <class Work>
void launch(const Work& work, const Shape& s, void*) {
  static bool backwards = false;
  if (s.threads > Work::kMostThreads || s.shared > kEmulatedShared)
    throw std::runtime_error("a launch beyond its limits");
  std::vector<double> shared((s.shared + 7) / 8);
  for (int64_t i = 0; i < s.blocks; ++i) {
    std::fill(shared.begin(), shared.end(), __builtin_nan(""));
    HostBlock block{reinterpret_cast<char*>(shared.data()), s.threads, backwards};
    work.run(block, int(backwards ? s.blocks - 1 - i : i));
  }
  backwards = !backwards;
}

#endif
#endif

}  // namespace fastspec::cuda
