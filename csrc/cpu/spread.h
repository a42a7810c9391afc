// Spreading: grid += strength * window, for all points. Adjoint of interpolate.h.
#pragma once
#include "dense.h"
#include "tile.h"

namespace fastspec {

template <class T>
struct SpreadArgs {
  Grid grid;
  Points<T> points;
  const T* polynomials;  // (window_degree + 1, width)
  const T* strengths;    // (sets, channels, count), complex numbers as pairs
  T* out;                // (sets, channels, *cells); every cell is written
  int64_t channels;
};

namespace FASTSPEC_LEVEL {

template <class T, int D, int W, int Parts>
struct Spread {
  using Tl = Tile<T, D, W, Parts>;
  using Ws = Windows<T, D, W, Parts>;
  using L = typename Ws::L;
  using P = typename Fixed<T>::type;
  static constexpr int64_t kAhead = 16;  // points

  static FASTSPEC_INLINE void point(const Ws& windows, const P* p, const int64_t* cell, const T* strength, T* buffer) {
    alignas(64) typename Ws::Others others;
    const L v = windows.at(p, others) * broadcast<T, Tl::kRowLanes, Parts>(strength);
    T* at = buffer + (cell_of<T>(p[D - 1]) - cell[D - 1]) * Parts;
    if constexpr (D == 1) {
      add(at, v);
    } else if constexpr (D == 2) {
      rows(at + (cell_of<T>(p[0]) - cell[0]) * Tl::kRow, others, v);
    } else {
      at += (cell_of<T>(p[0]) - cell[0]) * Tl::kPlane + (cell_of<T>(p[1]) - cell[1]) * Tl::kRow;
      for (int i = 0; i < W; ++i) rows(at + i * Tl::kPlane, others + Ws::kColumnLanes, v * others[i]);
    }
  }

  static FASTSPEC_INLINE void add(T* at, const L& v) { L::load(at).plus(T(1), v).store(at); }

  static FASTSPEC_INLINE void rows(T* at, const T* weights, const L& v) {
    FASTSPEC_UNROLL
    for (int i = 0; i < W; ++i) L::load(at + i * Tl::kRow).plus(weights[i], v).store(at + i * Tl::kRow);
  }

  static void points(const SpreadArgs<T>& a, const Ws& windows, const T* strengths, int64_t set, int64_t first,
                     int64_t last, const int64_t* cell, T* buffer) {
    const P* position = a.points.position + set * a.points.count * D;
    const int32_t* order = a.points.order + set * a.points.count;
    int64_t j = first;
    if constexpr (D == 1) {
      if (sorted_by_cell(a.grid, a.points.count))
        return Dense<T, W, Parts>::spread(windows.column, position + first, order + first, last - first, strengths,
                                          cell[0], buffer);
    }
    if constexpr (D == 1 && Parts == 1) {
      for (; j + 1 < last; j += 2) {
        const auto both = windows.pair.values(offset_of<T>(position[j]), offset_of<T>(position[j + 1]));
        add(buffer + cell_of<T>(position[j]) - cell[0], low(both) * strengths[order[j]]);
        add(buffer + cell_of<T>(position[j + 1]) - cell[0], high(both) * strengths[order[j + 1]]);
      }
    }
    for (; j < last; ++j) {
      // the strengths are in the user's order: fetch them before they are waited for
      if (j + kAhead < last) __builtin_prefetch(strengths + order[j + kAhead] * int64_t(Parts));
      point(windows, position + j * D, cell, strengths + order[j] * int64_t(Parts), buffer);
    }
  }

  static void strip(const SpreadArgs<T>& a, const Ws& windows, int64_t set, int64_t channel, int64_t strip) {
    const Grid& g = a.grid;
    const int64_t per_strip = g.tile_count() / g.tiles[0];
    const int64_t transform = set * a.channels + channel;
    const T* strengths = a.strengths + transform * a.points.count * Parts;
    T* grid = a.out + transform * g.total() * Parts;
    for (int64_t t = strip * per_strip; t < (strip + 1) * per_strip; ++t) {
      for_each_box<T, D, W, Parts>(g, a.points, set, t,
                                   [&](const Box<D>& b, int64_t first, int64_t last, const int64_t* cell) {
        T* buffer = static_cast<T*>(scratch(Tl::bytes(b)));
        Tl::clear(b, g, buffer);
        points(a, windows, strengths, set, first, last, cell, buffer);
        Tl::add_to_grid(b, g, buffer, grid);
      });
    }
  }

  static void clear_strips(const SpreadArgs<T>& a, int64_t transform, int64_t first, int64_t last) {
    const Grid& g = a.grid;
    const int64_t slab = g.total() / g.cells[0] * Parts;
    const int64_t end = last * g.tile[0] < g.cells[0] ? last * g.tile[0] : g.cells[0];
    T* grid = a.out + transform * g.total() * Parts;
    for (int64_t i = first * g.tile[0] * slab; i < end * slab; ++i) grid[i] = 0;
  }

  // A strip is one row of tiles along the slowest axis. Its halo reaches into the next strip only, so the even strips
  // run together, then the odd ones: no locks, and sums in the same order for any number of threads. An even strip
  // clears its own cells and the next strip's.
  static void run(const SpreadArgs<T>& a) {
    const Ws windows(a.polynomials);
    const int64_t strips = a.grid.tiles[0], pairs = strips > 1 ? strips / 2 : 1;
    const int64_t transforms = a.points.sets * a.channels;
    double per_point = W + 4;
    for (int d = 1; d < D; ++d) per_point *= W;
    const double cost = transforms * (a.points.count * per_point + a.grid.total());
    for (int64_t phase = 0; phase < (strips > 1 ? 2 : 1); ++phase) {
      parallel(transforms * pairs, cost, [&](int64_t task) {
        const int64_t transform = task / pairs, own = 2 * (task % pairs) + phase;
        if (phase == 0) clear_strips(a, transform, own, own + 2);
        strip(a, windows, transform / a.channels, transform % a.channels, own);
      });
    }
  }
};

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
