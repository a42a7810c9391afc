// Spreading: grid += strength * window, for all points. Adjoint of interpolate.h.
#pragma once
#include "dense.h"
#include "tile.h"

namespace fastspec {
namespace FASTSPEC_LEVEL {

template <class T, int D, int W, int Parts>
struct Spread {
  using Tl = Tile<T, D, W, Parts>;
  using Ws = Windows<T, D, W, Parts>;
  using L = typename Ws::L;
  using P = typename Fixed<T>::type;
  static constexpr int64_t kAhead = 32;  // points

  // Strengths and buffers of the channels that are spread together: a window is evaluated once for all of them.
  struct Channels {
    int64_t count;
    const T* strengths;
    int64_t distance;  // between channels' strengths
    T* buffer;
    int64_t size;  // of a channel's buffer

    const T* strength(int64_t c, int64_t place) const { return strengths + c * distance + place * Parts; }
  };

  static FASTSPEC_INLINE void point(const Ws& windows, const P* p, const int64_t* cell, const Channels& ch,
                                    int64_t count, int64_t place) {
    alignas(64) typename Ws::Others others;
    const L window = windows.at(p, others);
    T* at = ch.buffer + (cell_of<T>(p[D - 1]) - cell[D - 1]) * Parts;
    if constexpr (D >= 2) at += (cell_of<T>(p[D - 2]) - cell[D - 2]) * Tl::kRow;
    if constexpr (D == 3) at += (cell_of<T>(p[0]) - cell[0]) * Tl::kPlane;
    for (int64_t c = 0; c < count; ++c, at += ch.size) {
      const L v = window * strengths(ch.strength(c, place));
      if constexpr (D == 1) {
        add(at, v);
      } else if constexpr (D == 2) {
        rows(at, others, v);
      } else {
        FASTSPEC_UNROLL
        for (int i = 0; i < W; ++i) rows(at + i * Tl::kPlane, others + Ws::kColumnLanes, v * others[i]);
      }
    }
  }

  static FASTSPEC_INLINE L strengths(const T* at) { return broadcast<T, Tl::kRowLanes, Parts>(at); }

  static FASTSPEC_INLINE void add(T* at, const L& v) { L::load(at).plus(T(1), v).store(at); }

  static FASTSPEC_INLINE void rows(T* at, const T* weights, const L& v) {
    FASTSPEC_UNROLL
    for (int i = 0; i < W; ++i) L::load(at + i * Tl::kRow).plus(weights[i], v).store(at + i * Tl::kRow);
  }

  static FASTSPEC_INLINE void two_points(const Ws& windows, const P* p, const int32_t* order, int64_t cell,
                                         const Channels& ch) {
    const auto both = windows.pair.values(offset_of<T>(p[0]), offset_of<T>(p[1]));
    for (int64_t c = 0; c < ch.count; ++c) {
      T* buffer = ch.buffer + c * ch.size - cell * Parts;
      add(buffer + cell_of<T>(p[0]) * Parts, Ws::in_row(low(both)) * strengths(ch.strength(c, order[0])));
      add(buffer + cell_of<T>(p[1]) * Parts, Ws::in_row(high(both)) * strengths(ch.strength(c, order[1])));
    }
  }

  // Strengths are in the user's order: fetch them before they are waited for.
  static FASTSPEC_INLINE void fetch(const Channels& ch, int64_t count, const int32_t* order, int64_t j, int64_t all) {
    if (j >= all) return;
    for (int64_t c = 0; c < count; ++c) __builtin_prefetch(ch.strength(c, order[j]));
  }

  static void points(const SpreadArgs<T>& a, const Ws& windows, const Channels& ch, int64_t set, int64_t first,
                     int64_t last, const int64_t* cell) {
    const P* position = a.points.position + set * a.points.count * D;
    const int32_t* order = a.points.order + set * a.points.count;
    int64_t j = first;
    if constexpr (D == 1) {
      if (sorted_by_cell(a.grid, a.points.count)) {
        for (int64_t c = 0; c < ch.count; ++c)
          Dense<T, W, Parts>::spread(windows.column, position + first, order + first, last - first, ch.strength(c, 0),
                                     cell[0], ch.buffer + c * ch.size);
        return;
      }
    }
    if constexpr (Ws::kTwoPoints)
      for (; j + 1 < last; j += 2) {
        fetch(ch, 1, order, j + kAhead, a.points.count);
        fetch(ch, 1, order, j + kAhead + 1, a.points.count);
        two_points(windows, position + j, order + j, cell[0], ch);
      }
    if (ch.count == 1)
      one_by_one<true>(a.points.count, windows, ch, position, order, j, last, cell);
    else
      one_by_one<false>(a.points.count, windows, ch, position, order, j, last, cell);
  }

  template <bool OneChannel>
  static void one_by_one(int64_t all, const Ws& windows, const Channels& channels, const P* position,
                         const int32_t* order, int64_t first, int64_t last, const int64_t* cell) {
    const Channels ch = channels;
    const int64_t count = OneChannel ? 1 : ch.count;
    for (int64_t j = first; j < last; ++j) {
      fetch(ch, count, order, j + kAhead, all);
      point(windows, position + j * D, cell, ch, count, order[j]);
    }
  }

  static void strip(const SpreadArgs<T>& a, const Ws& windows, int64_t set, int64_t channel, int64_t count,
                    int64_t strip) {
    const Grid& g = a.grid;
    const int64_t per_strip = g.tile_count() / g.tiles[0];
    const int64_t transform = set * a.channels + channel, distance = a.points.count * Parts;
    T* grid = a.out + transform * g.total() * Parts;
    for (int64_t t = strip * per_strip; t < (strip + 1) * per_strip; ++t) {
      for_each_box<T, D, W, Parts>(g, a.points, set, t,
                                   [&](const Box<D>& b, int64_t first, int64_t last, const int64_t* cell) {
        const int64_t size = Tl::numbers(b);
        T* buffer = static_cast<T*>(scratch(size_t(count * size) * sizeof(T)));
        for (int64_t c = 0; c < count; ++c) Tl::clear(b, g, buffer + c * size);
        points(a, windows, {count, a.strengths + transform * distance, distance, buffer, size}, set, first, last, cell);
        for (int64_t c = 0; c < count; ++c) Tl::add_to_grid(b, g, buffer + c * size, grid + c * g.total() * Parts);
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
    const int64_t groups = (a.channels + Tl::kTogether - 1) / Tl::kTogether;
    const double cost = a.points.sets * a.channels * (a.points.count * work_per_point<D, W>() + a.grid.total());
    for (int64_t phase = 0; phase < (strips > 1 ? 2 : 1); ++phase) {
      parallel(a.points.sets * groups * pairs, cost, [&](int64_t task) {
        const int64_t set = task / pairs / groups, own = 2 * (task % pairs) + phase;
        const int64_t channel = task / pairs % groups * Tl::kTogether, left = a.channels - channel;
        const int64_t count = left < Tl::kTogether ? left : Tl::kTogether;
        for (int64_t c = channel; c < channel + count && phase == 0; ++c)
          clear_strips(a, set * a.channels + c, own, own + 2);
        strip(a, windows, set, channel, count, own);
      });
    }
  }
};

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
