// Interpolation: value = sum over the window's cells of window * grid, for all points, and its slopes.
#pragma once
#include "tile.h"

namespace fastspec {

template <class T>
struct InterpolateArgs {
  Grid grid;
  Points<T> points;
  const T* polynomials;  // (window_degree + 1, width)
  const T* in;           // (sets, channels, *cells), complex numbers as pairs
  T* values;             // (sets, channels, count)
  T* slopes;             // (sets, channels, count, dim), per cell of the grid; null where not wanted
  int64_t channels;
};

namespace FASTSPEC_LEVEL {

template <class T, int D, int W, int Parts>
struct Interpolate {
  using Row = Taps<T, W, Parts>;
  using Column = Taps<T, W, 1>;
  using L = typename Row::L;
  using Tl = Tile<T, D, W, Parts>;

  // sum_i weights[i] * row i
  static FASTSPEC_INLINE L rows(const T* at, int64_t stride, const T* weights) {
    L sum = L::load(at) * weights[0];
#pragma GCC unroll 16
    for (int i = 1; i < W; ++i) sum = sum.plus(weights[i], L::load(at + i * stride));
    return sum;
  }

  static FASTSPEC_INLINE const T* corner(const typename Fixed<T>::type* p, const int64_t* cell, const Box<D>& b,
                                         const T* buffer) {
    const T* at = buffer + (cell_of<T>(p[D - 1]) - cell[D - 1]) * Parts;
    if constexpr (D >= 2) at += (cell_of<T>(p[D - 2]) - cell[D - 2]) * b.stride;
    if constexpr (D == 3) at += (cell_of<T>(p[0]) - cell[0]) * b.extent[1] * b.stride;
    return at;
  }

  static FASTSPEC_INLINE void value(const Row& row, const Column& column, const typename Fixed<T>::type* p, const T* at,
                                    const Box<D>& b, T* out) {
    L sum;
    if constexpr (D == 1) {
      sum = L::load(at);
    } else {
      alignas(64) T w0[Column::kLanes], w1[Column::kLanes];
      column.values(offset_of<T>(p[D - 2])).store(w1);
      if constexpr (D == 2) {
        sum = rows(at, b.stride, w1);
      } else {
        column.values(offset_of<T>(p[0])).store(w0);
        sum = L::zero();
        for (int i = 0; i < W; ++i) sum = sum.plus(w0[i], rows(at + i * b.extent[1] * b.stride, b.stride, w1));
      }
    }
    reduce<T, Row::kLanes, Parts>(sum * row.values(offset_of<T>(p[D - 1])), out);
  }

  static FASTSPEC_INLINE void store_slope(const L& sum, T* slopes, int axis) {
    T part[Parts];
    reduce<T, Row::kLanes, Parts>(sum, part);
    for (int q = 0; q < Parts; ++q) slopes[axis * Parts + q] = part[q];
  }

  // Slopes are in the point, the taps' are in the window's argument; Taps turns the sign.
  static FASTSPEC_INLINE void value_and_slopes(const Row& row, const Column& column, const typename Fixed<T>::type* p,
                                               const T* at, const Box<D>& b, T* out, T* slopes) {
    L w, dw;
    row.values_and_slopes(offset_of<T>(p[D - 1]), w, dw);
    if constexpr (D == 1) {
      const L cells = L::load(at);
      reduce<T, Row::kLanes, Parts>(cells * w, out);
      store_slope(cells * dw, slopes, 0);
    } else {
      alignas(64) T w0[Column::kLanes], w1[Column::kLanes], d0[Column::kLanes], d1[Column::kLanes];
      typename Column::L v, s;
      column.values_and_slopes(offset_of<T>(p[D - 2]), v, s);
      v.store(w1);
      s.store(d1);
      L sum, sum1, sum0 = L::zero();
      if constexpr (D == 2) {
        sum = rows(at, b.stride, w1);
        sum1 = rows(at, b.stride, d1);
      } else {
        column.values_and_slopes(offset_of<T>(p[0]), v, s);
        v.store(w0);
        s.store(d0);
        sum = sum1 = L::zero();
        for (int i = 0; i < W; ++i) {
          const T* plane = at + i * b.extent[1] * b.stride;
          const L inner = rows(plane, b.stride, w1);
          sum = sum.plus(w0[i], inner);
          sum0 = sum0.plus(d0[i], inner);
          sum1 = sum1.plus(w0[i], rows(plane, b.stride, d1));
        }
        store_slope(sum0 * w, slopes, 0);
      }
      reduce<T, Row::kLanes, Parts>(sum * w, out);
      store_slope(sum1 * w, slopes, D - 2);
      store_slope(sum * dw, slopes, D - 1);
    }
  }

  static void tile(const InterpolateArgs<T>& a, const Row& row, const Column& column, int64_t transform, int64_t tile) {
    const Grid& g = a.grid;
    const int64_t set = transform / a.channels, base = set * a.points.count;
    const T* grid = a.in + transform * g.total() * Parts;
    T* values = a.values + transform * a.points.count * Parts;
    T* slopes = a.slopes ? a.slopes + transform * a.points.count * D * Parts : nullptr;
    for_each_box<T, D, W, Parts>(g, a.points, set, tile,
                                 [&](const Box<D>& b, int64_t first, int64_t last, const int64_t* cell) {
      T* buffer = static_cast<T*>(scratch(Tl::size(b) * sizeof(T)));
      Tl::load(b, g, grid, buffer);
      for (int64_t j = first; j < last; ++j) {
        const auto* p = a.points.position + (base + j) * D;
        const int64_t place = a.points.order[base + j];
        const T* at = corner(p, cell, b, buffer);
        if (slopes)
          value_and_slopes(row, column, p, at, b, values + place * Parts, slopes + place * D * Parts);
        else
          value(row, column, p, at, b, values + place * Parts);
      }
    });
  }

  static void run(const InterpolateArgs<T>& a) {
    const Row row(a.polynomials);
    const Column column(a.polynomials);
    const int64_t tiles = a.grid.tile_count(), transforms = a.points.sets * a.channels;
    double per_point = W + 4;
    for (int d = 1; d < D; ++d) per_point *= W;
    parallel(transforms * tiles, transforms * a.points.count * per_point,
             [&](int64_t task) { tile(a, row, column, task / tiles, task % tiles); });
  }
};

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
