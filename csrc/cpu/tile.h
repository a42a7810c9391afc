// One tile with its halo in a small buffer: where points are spread to and interpolated from.
//
//      corner           tile cells        halo (width - 1)
//         |------------------------------|--------|
//
// A window begins at its point's cell and reaches right, so the halo lies on one side only.
#pragma once
#include "../plan/widths.h"
#include "../stages.h"
#include "memory.h"
#include "parallel.h"
#include "places.h"
#include "simd.h"

namespace fastspec {
namespace FASTSPEC_LEVEL {

template <int D>
struct Box {
  int64_t corner[D];
  int64_t cells[D];  // without the halo
};

template <class T, int D, int W, int Parts>
struct Tile {
  static constexpr int kRowLanes = padded_lanes<T>(W * Parts);
  // Distances in the buffer, in numbers. Rows are long enough for whole vectors to be stored at a tile's last cell.
  static constexpr int64_t kRow = (kMostTile[D - 1][D - 1] - 1) * Parts + kRowLanes;
  static constexpr int64_t kPlane = D == 3 ? (kMostTile[2][1] + W - 1) * kRow : 0;

  // Numbers of a row that points of the box may touch.
  static FASTSPEC_INLINE int64_t row_length(const Box<D>& b) { return (b.cells[D - 1] - 1) * Parts + kRowLanes; }
  static FASTSPEC_INLINE int64_t row_count(const Box<D>& b, int axis) { return b.cells[axis] + W - 1; }

  // Channels whose buffers are worked on together, so that they still fit the caches.
  static constexpr int64_t kTogether = D == 3 ? 2 : 4;

  // Of a buffer, a multiple of a cache line's.
  static int64_t numbers(const Box<D>& b) {
    const int64_t slowest = D == 1 ? 1 : row_count(b, 0), line = 64 / int64_t(sizeof(T));
    return (slowest * (D == 3 ? kPlane : kRow) + line - 1) / line * line;
  }

  // Numbers to clear and to copy for a box, to weigh against the work of its points.
  static int64_t area(const Box<D>& b) {
    int64_t product = row_length(b);
    for (int a = 0; a < D - 1; ++a) product *= row_count(b, a);
    return product;
  }

  // Calls body(row of the buffer, row of the grid).
  template <class Body>
  static FASTSPEC_INLINE void for_each_row(const Box<D>& b, const Grid& g, Body&& body) {
    if constexpr (D == 1) {
      body(0, 0);
    } else {
      for (int64_t i = 0, gi = b.corner[0] % g.cells[0]; i < row_count(b, 0); ++i) {
        if constexpr (D == 2) {
          body(i * kRow, gi);
        } else {
          for (int64_t j = 0, gj = b.corner[1] % g.cells[1]; j < row_count(b, 1); ++j) {
            body(i * kPlane + j * kRow, gi * g.cells[1] + gj);
            if (++gj == g.cells[1]) gj = 0;
          }
        }
        if (++gi == g.cells[0]) gi = 0;
      }
    }
  }

  // Calls body(offset in the buffer, offset in the grid, count), in numbers, for each run of cells contiguous in both.
  template <class Body>
  static FASTSPEC_INLINE void for_each_run(const Box<D>& b, const Grid& g, Body&& body) {
    const int64_t length = g.cells[D - 1], extent = b.cells[D - 1] + W - 1, start = b.corner[D - 1] % length;
    for_each_row(b, g, [&](int64_t buffer_row, int64_t grid_row) {
      int64_t done = 0, at = start;
      while (done < extent) {
        const int64_t room = length - at, left = extent - done, run = room < left ? room : left;
        body(buffer_row + done * Parts, (grid_row * length + at) * Parts, run * Parts);
        done += run;
        at = 0;
      }
    });
  }

  static void clear(const Box<D>& b, const Grid& g, T* buffer) {
    const int64_t n = row_length(b);
    for_each_row(b, g, [&](int64_t row, int64_t) {
      for (int64_t i = 0; i < n; ++i) buffer[row + i] = 0;
    });
  }
  static void add_to_grid(const Box<D>& b, const Grid& g, const T* buffer, T* grid) {
    for_each_run(b, g, [&](int64_t from, int64_t to, int64_t n) {
      in_vectors<T>(0, n, [&](int64_t i, auto width) { add_to(grid + to + i, buffer + from + i, width); });
    });
  }
  static void load(const Box<D>& b, const Grid& g, const T* grid, T* buffer) {
    const int64_t extent = (b.cells[D - 1] + W - 1) * Parts, padded = row_length(b);
    for_each_run(b, g, [&](int64_t to, int64_t from, int64_t n) {
      in_vectors<T>(0, n, [&](int64_t i, auto width) { copy_to(buffer + to + i, grid + from + i, width); });
    });
    // the padding too: it is multiplied by the window's zero lanes
    for_each_row(b, g, [&](int64_t row, int64_t) {
      for (int64_t i = extent; i < padded; ++i) buffer[row + i] = 0;
    });
  }
};

// sum_p table[p] t^(Terms - 1 - p), even and odd powers apart: two chains of multiply-adds, each half as long.
template <int Terms, class T, int N>
FASTSPEC_INLINE Lanes<T, N> even_odd(const T (&table)[Terms][N], const Lanes<T, N>& t) {
  using L = Lanes<T, N>;
  const L square = t * t;
  L a = L::load(table[0]), b = L::load(table[1]);
  FASTSPEC_UNROLL
  for (int p = 2; p + 1 < Terms; p += 2) {
    a = L::load(table[p]).plus(a, square);
    b = L::load(table[p + 1]).plus(b, square);
  }
  if constexpr (Terms % 2 == 1) return L::load(table[Terms - 1]).plus(b, t).plus(a, square);
  return b.plus(a, t);
}

// Coefficients of the taps' polynomials from the highest power down, tap `tap(lane)` in each lane, and of their slopes
// per cell: the variable runs over two units as the point moves left by one cell.
template <class T, int W, int Lanes_>
struct TapTable {
  static constexpr int kLanes = Lanes_;
  static constexpr int kTerms = window_degree(W) + 1;
  using L = Lanes<T, kLanes>;
  alignas(64) T table[kTerms][kLanes];
  alignas(64) T slopes[kTerms - 1][kLanes];

  template <class Tap>
  TapTable(const T* polynomials, Tap tap) {
    for (int p = 0; p < kTerms; ++p)
      for (int l = 0; l < kLanes; ++l) {
        table[p][l] = tap(l) < W ? polynomials[p * W + tap(l)] : T(0);
        if (p + 1 < kTerms) slopes[p][l] = T(-2 * (kTerms - 1 - p)) * table[p][l];
      }
  }
  FASTSPEC_INLINE L values_at(const L& t) const { return even_odd<kTerms>(table, t); }
  FASTSPEC_INLINE L slopes_at(const L& t) const { return even_odd<kTerms - 1>(slopes, t); }
};

// The taps of a window along one axis, each repeated `Repeat` times.
template <class T, int W, int Repeat>
struct Taps : TapTable<T, W, padded_lanes<T>(W* Repeat)> {
  using Base = TapTable<T, W, padded_lanes<T>(W* Repeat)>;
  using typename Base::L;

  explicit Taps(const T* polynomials) : Base(polynomials, [](int lane) { return lane / Repeat; }) {}
  FASTSPEC_INLINE L values(T t) const { return this->values_at(L::all(t)); }
  FASTSPEC_INLINE L slopes_of(T t) const { return this->slopes_at(L::all(t)); }
};

// The taps of two windows in one vector, the first in its lower half.
template <class T, int W>
struct PairTaps : TapTable<T, W, 2 * padded_lanes<T>(W)> {
  using Base = TapTable<T, W, 2 * padded_lanes<T>(W)>;
  using typename Base::L;

  explicit PairTaps(const T* polynomials) : Base(polynomials, [](int lane) { return lane % padded_lanes<T>(W); }) {}
  FASTSPEC_INLINE L values(T first, T second) const { return this->values_at(halves<T, Base::kLanes>(first, second)); }
  FASTSPEC_INLINE L slopes_of(T first, T second) const {
    return this->slopes_at(halves<T, Base::kLanes>(first, second));
  }
};

// All axes' taps of a point: those of the fastest axis in lanes, ready to be multiplied with a row of cells; those of
// the others in memory, one after the other, to be broadcast from there. Two windows are evaluated in one vector where
// their lanes fit.
template <class T, int D, int W, int Parts>
struct Windows {
  static constexpr int kColumnLanes = padded_lanes<T>(W);
  using Row = Taps<T, W, Parts>;
  using Column = Taps<T, W, 1>;
  using L = typename Row::L;
  using P = typename Fixed<T>::type;
  static constexpr bool kPaired = D > 1 && (Parts == 1 || kPermutes);
  static constexpr bool kTwoPoints = D == 1 && (Parts == 1 || kPermutes);

  Row row;
  Column column;
  PairTaps<T, W> pair;

  // one row for each axis but the fastest
  using Others = T[D > 1 ? (D - 1) * kColumnLanes : 1];

  explicit Windows(const T* polynomials) : row(polynomials), column(polynomials), pair(polynomials) {}

  static FASTSPEC_INLINE L in_row(const typename Column::L& taps) { return repeat<Parts, Row::kLanes>(taps); }

  FASTSPEC_INLINE L at(const P* p, Others& others) const {
    L v;
    if constexpr (kPaired) {
      const auto both = pair.values(offset_of<T>(p[D - 1]), offset_of<T>(p[D - 2]));
      v = in_row(low(both));
      high(both).store(others + (D - 2) * kColumnLanes);
    } else {
      v = row.values(offset_of<T>(p[D - 1]));
      if constexpr (D > 1) column.values(offset_of<T>(p[D - 2])).store(others + (D - 2) * kColumnLanes);
    }
    if constexpr (D == 3) column.values(offset_of<T>(p[0])).store(others);
    keep_in_memory(others);
    return v;
  }

  // As at, with the windows' slopes.
  FASTSPEC_INLINE void slopes_at(const P* p, L& v, L& slope, Others& others, Others& other_slopes) const {
    const T last = offset_of<T>(p[D - 1]);
    if constexpr (kPaired) {
      const T before = offset_of<T>(p[D - 2]);
      const auto both = pair.values(last, before), both_slopes = pair.slopes_of(last, before);
      v = in_row(low(both));
      slope = in_row(low(both_slopes));
      high(both).store(others + (D - 2) * kColumnLanes);
      high(both_slopes).store(other_slopes + (D - 2) * kColumnLanes);
    } else {
      v = row.values(last);
      slope = row.slopes_of(last);
    }
    for (int d = 0; d < D - (kPaired ? 2 : 1); ++d) {
      column.values(offset_of<T>(p[d])).store(others + d * kColumnLanes);
      column.slopes_of(offset_of<T>(p[d])).store(other_slopes + d * kColumnLanes);
    }
    keep_in_memory(others);
    keep_in_memory(other_slopes);
  }

 private:
  // Or the compiler takes them from the register by shuffles, where a broadcast from memory is part of the product.
  static FASTSPEC_INLINE void keep_in_memory(Others& others) { asm volatile("" : "+m"(others)); }
};

// Where tile number `index` begins and how far it reaches.
template <int D>
FASTSPEC_INLINE void tile_bounds(const Grid& g, int64_t index, int64_t* corner, int64_t* cells) {
  for (int a = D - 1; a >= 0; --a) {
    corner[a] = index % g.tiles[a] * g.tile[a];
    index /= g.tiles[a];
    const int64_t left = g.cells[a] - corner[a];
    cells[a] = left < g.tile[a] ? left : g.tile[a];
  }
}

// Elementary operations, roughly.
template <int D, int W>
constexpr double work_per_point() {
  double work = W + 4;
  for (int d = 1; d < D; ++d) work *= W;
  return work;
}

// Splits a tile's points: all of them around the tile's own buffer, or, where they are so few that clearing and
// copying it would cost more than the points, one by one around their windows. body(box, first, last, cell offset).
template <class T, int D, int W, int Parts, class Body>
FASTSPEC_INLINE void for_each_box(const Grid& g, const Points<T>& points, int64_t set, int64_t tile, Body&& body) {
  using Tl = Tile<T, D, W, Parts>;
  const int32_t* starts = points.starts + set * (g.tile_count() + 1);
  const int64_t first = starts[tile], last = starts[tile + 1];
  if (first == last) return;
  Box<D> whole, single;
  tile_bounds<D>(g, tile, whole.corner, whole.cells);
  check_places<T, D>(points, set, first, last, whole.cells);
  for (int a = 0; a < D; ++a) single.cells[a] = 1;
  if ((last - first) * Tl::area(single) >= Tl::area(whole)) {
    const int64_t zero[D] = {};
    body(whole, first, last, zero);
    return;
  }
  for (int64_t j = first; j < last; ++j) {
    int64_t cell[D];
    for (int a = 0; a < D; ++a) {
      cell[a] = cell_of<T>(points.position[(set * points.count + j) * D + a]);
      single.corner[a] = whole.corner[a] + cell[a];
    }
    body(single, j, j + 1, cell);
  }
}

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
