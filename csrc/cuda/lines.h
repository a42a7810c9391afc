// Arrays of numbers as lines, for kernels between FFT and modes.
#pragma once
#include "launch.h"

namespace fastspec::cuda {

constexpr int kLineThreads = 256;
constexpr int kSegment = 2048;  // numbers of a line that a block does

// An array as lines along its fastest axis. A block does a segment of each of several lines of one transform, so that
// indices are divided once to a line and not to a number.
struct Lines {
  int count, length;  // of a transform
  int lanes;          // threads to a line, a power of two
  int groups, segments;

  FASTSPEC_BOTH int per_block() const { return kLineThreads / lanes; }
  FASTSPEC_BOTH int blocks() const { return groups * segments; }

  // body(line, place on the line) for a thread's share of block `index` of a transform
  template <class Body>
  FASTSPEC_FORCE_INLINE void each(int index, int thread, Body&& body) const {
    const int line = index / segments * per_block() + thread / lanes, first = index % segments * kSegment;
    const int end = first + kSegment < length ? first + kSegment : length;
    if (line >= count) return;
    for (int i = first + thread % lanes; i < end; i += lanes) body(line, i);
  }
};

inline Lines lines_of(const int64_t* extent, int dim) {
  Lines l{};
  int64_t count = 1;
  for (int a = 0; a + 1 < dim; ++a) count *= extent[a];
  if (count >= int64_t(1) << 31 || extent[dim - 1] >= int64_t(1) << 31)
    throw std::runtime_error("fastspec on CUDA: a spectrum with too many modes");
  l.count = int(count);
  l.length = int(extent[dim - 1]);
  l.lanes = 1;
  while (l.lanes < kLineThreads && l.lanes < l.length) l.lanes *= 2;
  l.groups = int(ceil_div(l.count, l.per_block()));
  l.segments = int(ceil_div(l.length, kSegment));
  return l;
}

// A line's index along each axis but the last.
FASTSPEC_FORCE_INLINE void along(int line, const int64_t* extent, int dim, int* index) {
  for (int a = dim - 2; a >= 0; --a) {
    index[a] = line % int(extent[a]);
    line /= int(extent[a]);
  }
}

}  // namespace fastspec::cuda
