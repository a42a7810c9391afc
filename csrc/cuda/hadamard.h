// The Walsh-Hadamard transform of lines: out_f = scale * sum_t (-1)^popcount(f & t) in_t.
//
// A butterfly of stride s puts the sum and the difference of numbers s apart in their places. Memory decides, so a pass
// reads and writes each number once, and does as many strides as a tile in shared memory has rows for. To a pass that
// begins with stride s all numbers are a matrix of s columns:
//
//     row 0    0    1 .. s-1        a tile is so many rows, a power of two, of a few columns, whose bits are the low
//     row 1    s  s+1 ..            ones of a place in it; those of its butterflies come next, and those above them
//     row 2   2s                    are other lines
//
// A pass is some rounds, which exchange numbers through shared memory. In a round each thread holds numbers whose
// places differ in a few bits, and so has all of their butterflies in its registers. The first round reads memory and
// the last one writes it, so these leave the bits of a run of 128 bytes to neighbouring threads; the round for these
// bits is between them.
//
// Of small tiles several blocks fit a processor, and one reads while another computes. Large tiles take all of its
// registers: there a block goes from tile to tile, and copies as much of the next one as shared memory has room for
// while it works on this one.
#pragma once
#include <algorithm>
#include <vector>

#include "launch.h"
#include "stages.h"

namespace fastspec::cuda {

// In bits of a count of numbers.
template <class T>
struct HadamardSizes {
  static constexpr int kRun = sizeof(T) == 4 ? 5 : 4;  // 128 bytes: of memory, or held by a thread
  static constexpr int kLeastRun = kRun - 1;           // of memory, where that saves a pass
  static constexpr int kLeastTile = kRun + 5;          // a warp's
  static constexpr int kEasyTile = kRun + 8;           // several of which fit a processor
  static constexpr int kMostTile = kRun + 10;
};

// The butterflies of bits at + first ... at + last - 1 of a place, by threads that hold the bits from `at` on.
struct HadamardRound {
  int at, first, last;
};

struct HadamardPass {
  int64_t rows, columns;
  int tile_bits, column_bits;
  int tiles_across;
  int64_t tiles, blocks;
  int ahead;  // of each thread's numbers, those that are copied while the tile before is worked on
  int rounds;
  HadamardRound round[4];
};

inline int bits_for(int64_t count) {
  int bits = 0;
  while (int64_t(1) << bits < count) ++bits;
  return bits;
}

// One number is left out after each run: whichever bits they hold, a warp's threads are on different banks.
template <class T>
FASTSPEC_BOTH constexpr int spaced(int place) {
  return place + (place >> HadamardSizes<T>::kRun);
}

template <class T>
size_t hadamard_shared(int tile_bits) {
  return size_t(spaced<T>(1 << tile_bits)) * sizeof(T);
}

// Whether a tile is one of the large ones, of which a block has several.
template <class T>
bool goes_ahead(const HadamardPass& p) {
  return p.tile_bits > HadamardSizes<T>::kEasyTile;
}

template <class T>
size_t hadamard_shared(const HadamardPass& p) {
  return hadamard_shared<T>(p.tile_bits) + (size_t(p.ahead) * sizeof(T) << (p.tile_bits - HadamardSizes<T>::kRun));
}

// Of `strides` strides from that of a row on.
template <class T>
void plan_rounds(HadamardPass& p, int strides) {
  constexpr int run = HadamardSizes<T>::kRun;
  const int from = p.column_bits, end = from + strides, middle = std::min(end, std::max(from, run));
  const int outer = std::max((end - middle + run - 1) / run, middle > from ? 2 : 1);
  auto add = [&](int begin, int stop) {
    const int at = std::min(begin, p.tile_bits - run);
    p.round[p.rounds++] = {at, begin - at, stop - at};
  };
  for (int i = 0; i < outer; ++i) {
    add(middle + (end - middle) * i / outer, middle + (end - middle) * (i + 1) / outer);
    if (i == 0 && middle > from) add(from, middle);
  }
}

// What a device has of processors, and of shared memory for a block.
struct HadamardDevice {
  size_t shared;
  int processors;
};

// As many blocks as a processor has room for, and of what shared memory is left to each, the next tile's numbers.
template <class T>
void plan_ahead(HadamardPass& p, const HadamardDevice& device) {
  constexpr size_t system = 1 << 10;  // of each block
  const int threads = p.tile_bits - HadamardSizes<T>::kRun, most = HadamardSizes<T>::kMostTile;
  const int blocks =
      std::min(1 << (most - p.tile_bits), int((device.shared + system) / (hadamard_shared<T>(p) + system)));
  const size_t left = (device.shared + system) / blocks - system - hadamard_shared<T>(p);
  p.ahead = int(std::min(left / sizeof(T) >> threads, size_t(1) << HadamardSizes<T>::kRun));
  p.blocks = std::min(p.tiles, int64_t(blocks) * device.processors);
}

// Smaller tiles where there are too few of them for a device; then runs as long as the strides leave room for.
template <class T>
HadamardPass plan_pass(int64_t count, int64_t columns, int strides, int tile_bits, int run,
                       const HadamardDevice& device) {
  using Sizes = HadamardSizes<T>;
  HadamardPass p{};
  p.rows = count / columns;
  p.columns = columns;
  const int row_bits = std::max(strides, Sizes::kRun), least_run = std::min(bits_for(columns), run);
  const int least = std::max(Sizes::kLeastTile, least_run + row_bits);
  while (tile_bits > least && count >> tile_bits < 2 * device.processors) --tile_bits;
  tile_bits = std::max(tile_bits, least);
  p.column_bits = std::max(least_run, std::min(bits_for(columns), tile_bits - row_bits));
  p.tile_bits =
      std::min(tile_bits, std::max({Sizes::kLeastTile, p.column_bits + row_bits, p.column_bits + bits_for(p.rows)}));
  p.tiles_across = int(ceil_div(columns, 1 << p.column_bits));
  p.tiles = ceil_div(p.rows, int64_t(1) << (p.tile_bits - p.column_bits)) * p.tiles_across;
  p.blocks = p.tiles;
  plan_rounds<T>(p, strides);
  if (goes_ahead<T>(p)) plan_ahead<T>(p, device);
  return p;
}

// As few passes as there can be, of tiles as small as these allow. Each has strides enough for a thread's numbers.
template <class T>
std::vector<HadamardPass> plan_hadamard(int64_t count, int64_t length, int64_t inner, const HadamardDevice& device) {
  using Sizes = HadamardSizes<T>;
  int left = bits_for(length), most = Sizes::kMostTile, run = Sizes::kRun;
  while (most > Sizes::kLeastTile && hadamard_shared<T>(most) > device.shared) --most;
  const auto passes_of = [&](int tile, int run) {
    const int first = tile - std::min(bits_for(inner), run), other = tile - run;
    return 1 + std::max(0, left - first + other - 1) / other;
  };
  if (passes_of(most, Sizes::kLeastRun) < passes_of(most, run)) run = Sizes::kLeastRun;
  const int easy = std::min(most, Sizes::kEasyTile);
  int passes = passes_of(most, run), tile = easy;
  while (passes_of(tile, run) > passes) ++tile;
  std::vector<HadamardPass> plan;
  while (passes-- > 0) {
    const int columns = std::min(bits_for(inner), run);
    const int here = passes == 0 ? left : std::max(1, std::min(tile - columns, left - passes * Sizes::kRun));
    plan.push_back(plan_pass<T>(count, inner, here, std::max(easy, columns + here), run, device));
    inner <<= here;
    left -= here;
  }
  return plan;
}

// A number that comes to shared memory while its thread goes on, until it waits for all of its own.
template <class T>
FASTSPEC_FORCE_INLINE void copy_ahead(T* to, const T* from) {
#ifdef __CUDA_ARCH__
  const unsigned place = unsigned(__cvta_generic_to_shared(to));
  asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(place), "l"(from), "n"(int(sizeof(T))));
#else
  *to = *from;
#endif
}

FASTSPEC_FORCE_INLINE void await_copies() {
#ifdef __CUDA_ARCH__
  asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

// kAhead: of large tiles.
template <class T, bool kAhead>
struct Hadamard {
  static constexpr int kRun = HadamardSizes<T>::kRun, kHeld = 1 << kRun;
  static constexpr int kMostTile = kAhead ? HadamardSizes<T>::kMostTile : HadamardSizes<T>::kEasyTile;
  static constexpr int kMostThreads = 1 << (kMostTile - kRun), kLeastBlocks = 1024 / kMostThreads;
  static constexpr bool kInteger = T(1) / T(2) == T(0);
  HadamardPass p;
  T scale;
  const T* in;
  T* out;

  // The numbers of memory that a thread holds, from its first one on. Fewer than kHeld at the end of the matrix.
  struct Share {
    int64_t at, step;
    int count;
  };

  FASTSPEC_FORCE_INLINE Share share_of(int index, int place, int row_shift) const {
    const int row_bits = p.tile_bits - p.column_bits, row = place >> p.column_bits;
    const int64_t above = (int64_t(index / p.tiles_across) << row_bits) + row;
    const int64_t column = (int64_t(index % p.tiles_across) << p.column_bits) + place - (row << p.column_bits);
    const int64_t left = column < p.columns ? (p.rows - above + (int64_t(1) << row_shift) - 1) >> row_shift : 0;
    return {above * p.columns + column, p.columns << row_shift, int(left < kHeld ? left : kHeld)};
  }

  FASTSPEC_FORCE_INLINE static void butterflies(T* v, const HadamardRound& r) {
    FASTSPEC_UNROLLED
    for (int bit = 0; bit < kRun; ++bit) {
      if (bit < r.first || bit >= r.last) continue;
      FASTSPEC_UNROLLED
      for (int i = 0; i < kHeld; ++i) {
        if (i >> bit & 1) continue;
        const T a = v[i], b = v[i | 1 << bit];
        v[i] = a + b;
        v[i | 1 << bit] = a - b;
      }
    }
  }

  // `ahead`: those that are there already, a thread's one block of threads apart.
  FASTSPEC_FORCE_INLINE void read(const Share& s, const T* ahead, T* v) const {
    const T* from = in + s.at;
    const int there = kAhead ? p.ahead : 0;
    FASTSPEC_UNROLLED
    for (int i = 0; i < kHeld; ++i, from += s.step) {
      v[i] = 0;
      if (i >= there && i < s.count) v[i] = *from;
    }
    FASTSPEC_UNROLLED
    for (int i = 0; i < kHeld; ++i)
      if (i < there) v[i] = ahead[i << (p.tile_bits - kRun)];
  }

  FASTSPEC_FORCE_INLINE void write(const Share& s, const T* v) const {
    T* to = out + s.at;
    FASTSPEC_UNROLLED
    for (int i = 0; i < kHeld; ++i, to += s.step)
      if (i < s.count) *to = kInteger ? v[i] : v[i] * scale;
  }

  // Of a thread in a round, the place in the tile of its first number.
  FASTSPEC_FORCE_INLINE static int place_of(const HadamardRound& r, int thread) {
    const int below = thread & ((1 << r.at) - 1);
    return below | (thread - below) << kRun;
  }

  FASTSPEC_FORCE_INLINE Share share_in(const HadamardRound& r, int index, int thread) const {
    return share_of(index, place_of(r, thread), r.at - p.column_bits);
  }

  FASTSPEC_FORCE_INLINE void fetch(int index, int thread, T* ahead) const {
    if (index >= p.tiles) return;
    const Share s = share_in(p.round[0], index, thread);
    const T* from = in + s.at;
    ahead += thread;
    FASTSPEC_ROLLED
    for (int i = 0; i < p.ahead; ++i, from += s.step, ahead += 1 << (p.tile_bits - kRun)) {
      if (i < s.count)
        copy_ahead(ahead, from);
      else
        *ahead = 0;
    }
  }

  FASTSPEC_FORCE_INLINE void round(int number, int index, int thread, T* tile, const T* ahead) const {
    const HadamardRound& r = p.round[number];
    T v[kHeld];
    T* held = tile + spaced<T>(place_of(r, thread));
    if (number == 0) {
      read(share_in(r, index, thread), ahead + thread, v);
    } else {
      FASTSPEC_UNROLLED
      for (int i = 0; i < kHeld; ++i) v[i] = held[spaced<T>(i << r.at)];
    }
    butterflies(v, r);
    if (number + 1 == p.rounds) {
      write(share_in(r, index, thread), v);
    } else {
      FASTSPEC_UNROLLED
      for (int i = 0; i < kHeld; ++i) held[spaced<T>(i << r.at)] = v[i];
    }
  }

  // `next`: of a large tile, what is copied from the second round on, when none reads what was there ahead.
  template <class Block>
  FASTSPEC_FORCE_INLINE void tile_of(Block& block, int index, int next, T* tile, T* ahead) const {
    FASTSPEC_ROLLED
    for (int i = 0; i < p.rounds; ++i)
      block.each([&](int thread) {
        if (kAhead && i == 1) fetch(next, thread, ahead);
        round(i, index, thread, tile, ahead);
        if (kAhead && i + 1 == p.rounds) await_copies();
      });
  }

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    T* tile = reinterpret_cast<T*>(block.shared);
    T* ahead = tile + spaced<T>(1 << p.tile_bits);
    if constexpr (kAhead) {
      block.each([&](int thread) { fetch(index, thread, ahead), await_copies(); });
      FASTSPEC_ROLLED
      for (int at = index, next; at < p.tiles; at = next) tile_of(block, at, next = at + int(p.blocks), tile, ahead);
    } else {
      tile_of(block, index, 0, tile, ahead);
    }
  }
};

}  // namespace fastspec::cuda
