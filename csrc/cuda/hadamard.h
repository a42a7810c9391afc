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

template <class T>
int hadamard_columns(int64_t columns) {
  return std::min(bits_for(columns), HadamardSizes<T>::kRun);
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

template <class T>
HadamardPass plan_pass(int64_t count, int64_t columns, int strides, int tile_bits, int64_t wanted_tiles) {
  using Sizes = HadamardSizes<T>;
  HadamardPass p{};
  p.rows = count / columns;
  p.columns = columns;
  p.column_bits = hadamard_columns<T>(columns);
  p.tiles_across = int(ceil_div(columns, 1 << p.column_bits));
  const int least = std::max({Sizes::kLeastTile, p.column_bits + strides, p.column_bits + Sizes::kRun});
  while (tile_bits > least && count >> tile_bits < wanted_tiles) --tile_bits;
  p.tile_bits = std::max(tile_bits, least);
  plan_rounds<T>(p, strides);
  return p;
}

// As few passes as there can be, of tiles as small as these allow.
template <class T>
std::vector<HadamardPass> plan_hadamard(int64_t count, int64_t length, int64_t inner, size_t shared, int processors) {
  using Sizes = HadamardSizes<T>;
  int left = bits_for(length), most = Sizes::kMostTile, passes = 1;
  while (most > Sizes::kLeastTile && hadamard_shared<T>(most) > shared) --most;
  int tile = std::min(most, Sizes::kEasyTile);
  const int columns = hadamard_columns<T>(inner);
  auto strides = [&](int bits) { return bits - columns + (passes - 1) * (bits - Sizes::kRun); };
  while (strides(most) < left) ++passes;
  while (strides(tile) < left) ++tile;
  std::vector<HadamardPass> plan;
  do {
    const int here = std::min(left, tile - hadamard_columns<T>(inner));
    plan.push_back(plan_pass<T>(count, inner, here, tile, 2 * processors));
    inner <<= here;
    left -= here;
  } while (left > 0);
  return plan;
}

template <class T>
struct Hadamard {
  static constexpr int kRun = HadamardSizes<T>::kRun, kHeld = 1 << kRun;
  static constexpr int kMostThreads = 1 << (HadamardSizes<T>::kMostTile - kRun), kLeastBlocks = 1;
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

  FASTSPEC_FORCE_INLINE void read(const Share& s, T* v) const {
    const T* from = in + s.at;
    FASTSPEC_UNROLLED
    for (int i = 0; i < kHeld; ++i, from += s.step) {
      v[i] = 0;
      if (i < s.count) v[i] = *from;
    }
  }

  FASTSPEC_FORCE_INLINE void write(const Share& s, const T* v) const {
    T* to = out + s.at;
    FASTSPEC_UNROLLED
    for (int i = 0; i < kHeld; ++i, to += s.step)
      if (i < s.count) *to = kInteger ? v[i] : v[i] * scale;
  }

  FASTSPEC_FORCE_INLINE void round(const HadamardRound& r, bool first, bool last, int index, int thread,
                                   T* tile) const {
    const int below = thread & ((1 << r.at) - 1), place = below | (thread - below) << kRun;
    T v[kHeld];
    T* held = tile + spaced<T>(place);
    if (first) {
      read(share_of(index, place, r.at - p.column_bits), v);
    } else {
      FASTSPEC_UNROLLED
      for (int i = 0; i < kHeld; ++i) v[i] = held[spaced<T>(i << r.at)];
    }
    butterflies(v, r);
    if (last) {
      write(share_of(index, place, r.at - p.column_bits), v);
    } else {
      FASTSPEC_UNROLLED
      for (int i = 0; i < kHeld; ++i) held[spaced<T>(i << r.at)] = v[i];
    }
  }

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    T* tile = reinterpret_cast<T*>(block.shared);
    FASTSPEC_ROLLED
    for (int i = 0; i < p.rounds; ++i)
      block.each([&](int thread) { round(p.round[i], i == 0, i + 1 == p.rounds, index, thread, tile); });
  }
};

}  // namespace fastspec::cuda
