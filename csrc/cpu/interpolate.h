// Interpolation: value = sum over the window's cells of window * grid, for all points, and its slopes.
#pragma once
#include "dense.h"
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
  using Tl = Tile<T, D, W, Parts>;
  using Ws = Windows<T, D, W, Parts>;
  using L = typename Ws::L;
  using P = typename Fixed<T>::type;
  static constexpr int64_t kAhead = 16;  // points

  // sum_i weights[i] * row i, in two chains
  static FASTSPEC_INLINE L rows(const T* at, const T* weights) {
    L even = L::load(at) * weights[0], odd = L::load(at + Tl::kRow) * weights[1];
    FASTSPEC_UNROLL
    for (int i = 2; i < W; i += 2) even = even.plus(weights[i], L::load(at + i * Tl::kRow));
    FASTSPEC_UNROLL
    for (int i = 3; i < W; i += 2) odd = odd.plus(weights[i], L::load(at + i * Tl::kRow));
    return even.plus(T(1), odd);
  }

  static FASTSPEC_INLINE const T* corner(const P* p, const int64_t* cell, const T* buffer) {
    const T* at = buffer + (cell_of<T>(p[D - 1]) - cell[D - 1]) * Parts;
    if constexpr (D >= 2) at += (cell_of<T>(p[D - 2]) - cell[D - 2]) * Tl::kRow;
    if constexpr (D == 3) at += (cell_of<T>(p[0]) - cell[0]) * Tl::kPlane;
    return at;
  }

  static FASTSPEC_INLINE void value(const Ws& windows, const P* p, const T* at, T* out) {
    alignas(64) typename Ws::Others others;
    const L window = windows.at(p, others);
    L sum;
    if constexpr (D == 1) {
      sum = L::load(at);
    } else if constexpr (D == 2) {
      sum = rows(at, others);
    } else {
      sum = L::zero();
      for (int i = 0; i < W; ++i) sum = sum.plus(others[i], rows(at + i * Tl::kPlane, others + Ws::kColumnLanes));
    }
    reduce<T, Tl::kRowLanes, Parts>(sum * window, out);
  }

  static FASTSPEC_INLINE void store_slope(const L& sum, T* slopes, int axis) {
    T part[Parts];
    reduce<T, Tl::kRowLanes, Parts>(sum, part);
    for (int q = 0; q < Parts; ++q) slopes[axis * Parts + q] = part[q];
  }

  static FASTSPEC_INLINE void value_and_slopes(const Ws& windows, const P* p, const T* at, T* out, T* slopes) {
    alignas(64) typename Ws::Others others, other_slopes;
    L w, dw, sum, sum1;
    windows.slopes_at(p, w, dw, others, other_slopes);
    if constexpr (D == 1) {
      sum = L::load(at);
    } else if constexpr (D == 2) {
      sum = rows(at, others);
      sum1 = rows(at, other_slopes);
    } else {
      L sum0 = L::zero();
      sum = sum1 = L::zero();
      for (int i = 0; i < W; ++i) {
        const T* plane = at + i * Tl::kPlane;
        const L inner = rows(plane, others + Ws::kColumnLanes);
        sum = sum.plus(others[i], inner);
        sum1 = sum1.plus(others[i], rows(plane, other_slopes + Ws::kColumnLanes));
        sum0 = sum0.plus(other_slopes[i], inner);
      }
      store_slope(sum0 * w, slopes, 0);
    }
    reduce<T, Tl::kRowLanes, Parts>(sum * w, out);
    if constexpr (D > 1) store_slope(sum1 * w, slopes, D - 2);
    store_slope(sum * dw, slopes, D - 1);
  }

  static void points(const InterpolateArgs<T>& a, const Ws& windows, int64_t transform, int64_t first, int64_t last,
                     const int64_t* cell, const T* buffer) {
    const int64_t base = transform / a.channels * a.points.count;
    const P* position = a.points.position + base * D;
    const int32_t* order = a.points.order + base;
    T* values = a.values + transform * a.points.count * Parts;
    T* slopes = a.slopes ? a.slopes + transform * a.points.count * D * Parts : nullptr;
    int64_t j = first;
    if constexpr (D == 1) {
      if (sorted_by_cell(a.grid, a.points.count))
        return Dense<T, W, Parts>::interpolate(windows.column, position + first, order + first, last - first, buffer,
                                               cell[0], values, slopes);
    }
    if constexpr (D == 1 && Parts == 1) {
      for (; j + 1 < last && !slopes; j += 2) {
        const auto both = windows.pair.values(offset_of<T>(position[j]), offset_of<T>(position[j + 1]));
        const T *one = corner(position + j, cell, buffer), *two = corner(position + j + 1, cell, buffer);
        reduce<T, Tl::kRowLanes, Parts>(L::load(one) * low(both), values + order[j]);
        reduce<T, Tl::kRowLanes, Parts>(L::load(two) * high(both), values + order[j + 1]);
      }
    }
    for (; j < last; ++j) {
      const P* p = position + j * D;
      const int64_t place = order[j];
      if (j + kAhead < last) {
        __builtin_prefetch(values + order[j + kAhead] * int64_t(Parts), 1);
        if (slopes) __builtin_prefetch(slopes + order[j + kAhead] * int64_t(Parts * D), 1);
      }
      const T* at = corner(p, cell, buffer);
      if (slopes)
        value_and_slopes(windows, p, at, values + place * Parts, slopes + place * D * Parts);
      else
        value(windows, p, at, values + place * Parts);
    }
  }

  static void tile(const InterpolateArgs<T>& a, const Ws& windows, int64_t transform, int64_t tile) {
    const Grid& g = a.grid;
    const T* grid = a.in + transform * g.total() * Parts;
    for_each_box<T, D, W, Parts>(g, a.points, transform / a.channels, tile,
                                 [&](const Box<D>& b, int64_t first, int64_t last, const int64_t* cell) {
      T* buffer = static_cast<T*>(scratch(Tl::bytes(b)));
      Tl::load(b, g, grid, buffer);
      points(a, windows, transform, first, last, cell, buffer);
    });
  }

  static void run(const InterpolateArgs<T>& a) {
    const Ws windows(a.polynomials);
    const int64_t tiles = a.grid.tile_count(), transforms = a.points.sets * a.channels;
    double per_point = W + 4;
    for (int d = 1; d < D; ++d) per_point *= W;
    parallel(transforms * tiles, transforms * a.points.count * per_point,
             [&](int64_t task) { tile(a, windows, task / tiles, task % tiles); });
  }
};

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
