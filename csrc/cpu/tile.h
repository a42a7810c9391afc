// One tile with its halo in a small buffer: where points are spread to and interpolated from.
//
//      corner           tile cells        halo (width - 1)
//         |------------------------------|--------|
//
// A window begins at its point's cell and reaches right, so the halo lies on one side only.
#pragma once
#include "../grid.h"
#include "../widths.h"
#include "parallel.h"
#include "simd.h"

namespace fastspec {
namespace FASTSPEC_LEVEL {

template <int D>
struct Box {
  int64_t corner[D];
  int64_t extent[D];  // halo included
  int64_t stride;     // of a row of the buffer, in numbers; rows are padded so that whole vectors may be stored

  int64_t rows() const {
    int64_t product = 1;
    for (int a = 0; a < D - 1; ++a) product *= extent[a];
    return product;
  }
};

template <class T, int D, int W, int Parts>
struct Tile {
  static constexpr int kRowLanes = padded_lanes<T>(W * Parts);

  static Box<D> box(const int64_t* corner, const int64_t* cells) {
    Box<D> b;
    for (int a = 0; a < D; ++a) {
      b.corner[a] = corner[a];
      b.extent[a] = cells[a] + W - 1;
    }
    b.stride = (cells[D - 1] - 1) * Parts + kRowLanes;
    return b;
  }
  static int64_t size(const Box<D>& b) { return b.rows() * b.stride; }

  // Calls body(buffer offset, grid offset, count), offsets in numbers, for each run of cells contiguous in both.
  template <class Body>
  static FASTSPEC_INLINE void for_each_run(const Box<D>& b, const Grid& g, Body&& body) {
    const int64_t rows = b.rows(), length = g.cells[D - 1];
    for (int64_t r = 0; r < rows; ++r) {
      int64_t row = 0;
      if constexpr (D == 2) row = (b.corner[0] + r) % g.cells[0];
      if constexpr (D == 3) {
        const int64_t i = (b.corner[0] + r / b.extent[1]) % g.cells[0],
                      j = (b.corner[1] + r % b.extent[1]) % g.cells[1];
        row = i * g.cells[1] + j;
      }
      int64_t done = 0, at = b.corner[D - 1] % length;
      while (done < b.extent[D - 1]) {
        const int64_t room = length - at, left = b.extent[D - 1] - done, run = room < left ? room : left;
        body(r * b.stride + done * Parts, (row * length + at) * Parts, run * Parts);
        done += run;
        at = 0;
      }
    }
  }

  static void clear(const Box<D>& b, T* buffer) {
    const int64_t n = size(b);
    for (int64_t i = 0; i < n; ++i) buffer[i] = 0;
  }
  static void add_to_grid(const Box<D>& b, const Grid& g, const T* buffer, T* grid) {
    for_each_run(b, g, [&](int64_t from, int64_t to, int64_t n) {
      for (int64_t i = 0; i < n; ++i) grid[to + i] += buffer[from + i];
    });
  }
  static void load(const Box<D>& b, const Grid& g, const T* grid, T* buffer) {
    clear(b, buffer);  // the padding too: it is multiplied by the window's zero lanes
    for_each_run(b, g, [&](int64_t to, int64_t from, int64_t n) {
      for (int64_t i = 0; i < n; ++i) buffer[to + i] = grid[from + i];
    });
  }
};

// The taps of a window along one axis, each repeated `Repeat` times.
template <class T, int W, int Repeat>
struct Taps {
  static constexpr int kLanes = padded_lanes<T>(W * Repeat);
  static constexpr int kTerms = window_degree(W) + 1;
  using L = Lanes<T, kLanes>;
  alignas(64) T table[kTerms][kLanes];

  explicit Taps(const T* polynomials) {
    for (int p = 0; p < kTerms; ++p)
      for (int l = 0; l < kLanes; ++l) table[p][l] = l < W * Repeat ? polynomials[p * W + l / Repeat] : T(0);
  }
  FASTSPEC_INLINE L values(T t) const {
    L v = L::load(table[0]);
#pragma GCC unroll 32
    for (int p = 1; p < kTerms; ++p) v = v.times_plus(t, L::load(table[p]));
    return v;
  }
  // Values, and slopes per cell: t runs over two units as the point moves left by one cell.
  FASTSPEC_INLINE void values_and_slopes(T t, L& v, L& slope) const {
    v = L::load(table[0]);
    slope = L::zero();
#pragma GCC unroll 32
    for (int p = 1; p < kTerms; ++p) {
      slope = slope.times_plus(t, v);
      v = v.times_plus(t, L::load(table[p]));
    }
    slope = slope * T(-2);
  }
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

// Splits a tile's points: all of them around the tile's own buffer, or, where they are so few that clearing and
// copying it would cost more than the points, one by one around their windows. body(box, first, last, cell offset).
template <class T, int D, int W, int Parts, class Body>
FASTSPEC_INLINE void for_each_box(const Grid& g, const Points<T>& points, int64_t set, int64_t tile, Body&& body) {
  using Tl = Tile<T, D, W, Parts>;
  const int32_t* starts = points.starts + set * (g.tile_count() + 1);
  const int64_t first = starts[tile], last = starts[tile + 1];
  if (first == last) return;
  int64_t corner[D], cells[D], zero[D] = {}, one[D];
  tile_bounds<D>(g, tile, corner, cells);
  const Box<D> whole = Tl::box(corner, cells);
  for (int a = 0; a < D; ++a) one[a] = 1;
  if ((last - first) * Tl::size(Tl::box(corner, one)) >= Tl::size(whole)) {
    body(whole, first, last, zero);
    return;
  }
  for (int64_t j = first; j < last; ++j) {
    int64_t cell[D], start[D];
    for (int a = 0; a < D; ++a) {
      cell[a] = cell_of<T>(points.position[(set * points.count + j) * D + a]);
      start[a] = corner[a] + cell[a];
    }
    body(Tl::box(start, one), j, j + 1, cell);
  }
}

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
