// Interpolation: value = sum over the window's cells of window * grid, for all points, and its slopes.
#pragma once
#include "dense.h"
#include "tile.h"

namespace fastspec {
namespace FASTSPEC_LEVEL {

template <class T, int D, int W, int Parts>
struct Interpolate {
  using Tl = Tile<T, D, W, Parts>;
  using Ws = Windows<T, D, W, Parts>;
  using L = typename Ws::L;
  using P = typename Fixed<T>::type;
  static constexpr int64_t kAhead = 32;  // points

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

  // Buffers and values of the channels that are interpolated together: a window is evaluated once for all of them.
  struct Channels {
    int64_t count;
    const T* buffer;
    int64_t size;  // of a channel's buffer
    T* values;
    int64_t distance;  // between channels' values

    T* value(int64_t c, int64_t place) const { return values + c * distance + place * Parts; }
  };

  static FASTSPEC_INLINE void value(const Ws& windows, const P* p, const int64_t* cell, const Channels& ch,
                                    int64_t count, int64_t place) {
    alignas(64) typename Ws::Others others;
    const L window = windows.at(p, others);
    const T* at = corner(p, cell, ch.buffer);
    for (int64_t c = 0; c < count; ++c, at += ch.size) {
      L sum;
      if constexpr (D == 1) {
        sum = L::load(at);
      } else if constexpr (D == 2) {
        sum = rows(at, others);
      } else {
        sum = L::zero();
        for (int i = 0; i < W; ++i) sum = sum.plus(others[i], rows(at + i * Tl::kPlane, others + Ws::kColumnLanes));
      }
      reduce<T, Tl::kRowLanes, Parts>(sum * window, ch.value(c, place));
    }
  }

  static FASTSPEC_INLINE void two_values(const Ws& windows, const P* p, const int32_t* order, const int64_t* cell,
                                         const Channels& ch) {
    const auto both = windows.pair.values(offset_of<T>(p[0]), offset_of<T>(p[1]));
    for (int64_t c = 0; c < ch.count; ++c) {
      const T* buffer = ch.buffer + c * ch.size;
      reduce<T, Tl::kRowLanes, Parts>(L::load(corner(p, cell, buffer)) * Ws::in_row(low(both)), ch.value(c, order[0]));
      reduce<T, Tl::kRowLanes, Parts>(L::load(corner(p + 1, cell, buffer)) * Ws::in_row(high(both)),
                                      ch.value(c, order[1]));
    }
  }

  // Or the compiler loads it again for each product, and most rows lie across two cache lines.
  static FASTSPEC_INLINE L loaded(const T* at) {
    L row = L::load(at);
    if constexpr (kRegister == 64) {
      FASTSPEC_UNROLL
      for (int c = 0; c < L::kChunks; ++c) asm("" : "+v"(row.v[c]));
    }
    return row;
  }

  // sum_i weights[i] * row i and sum_i slopes[i] * row i
  static FASTSPEC_INLINE void rows(const T* at, const T* weights, const T* slopes, L& value, L& slope) {
    L row = loaded(at);
    value = row * weights[0];
    slope = row * slopes[0];
    FASTSPEC_UNROLL
    for (int i = 1; i < W; ++i) {
      row = loaded(at + i * Tl::kRow);
      value = value.plus(weights[i], row);
      slope = slope.plus(slopes[i], row);
    }
  }

  // A point's windows and their slopes.
  struct Sloping {
    L window, slope;
    alignas(64) typename Ws::Others others, other_slopes;

    FASTSPEC_INLINE Sloping(const Ws& windows, const P* p) {
      windows.slopes_at(p, window, slope, others, other_slopes);
    }

    // What is yet to be summed over lanes: the value, and the slope along each axis.
    FASTSPEC_INLINE void sums(const T* at, L& value, L* along) const {
      L sum;
      if constexpr (D == 1) {
        sum = L::load(at);
      } else if constexpr (D == 2) {
        rows(at, others, other_slopes, sum, along[0]);
      } else {
        sum = along[0] = along[1] = L::zero();
        for (int i = 0; i < W; ++i) {
          L inner, inner_slope;
          rows(at + i * Tl::kPlane, others + Ws::kColumnLanes, other_slopes + Ws::kColumnLanes, inner, inner_slope);
          sum = sum.plus(others[i], inner);
          along[0] = along[0].plus(other_slopes[i], inner);
          along[1] = along[1].plus(others[i], inner_slope);
        }
      }
      value = sum * window;
      FASTSPEC_UNROLL
      for (int d = 0; d < D - 1; ++d) along[d] = along[d] * window;
      along[D - 1] = sum * slope;
    }
  };

  // Where the slopes of a tile's channels go.
  struct Slopes {
    T* all;  // of the first channel; null where not wanted
    const T* strengths;
    T* gradient;
    bool first;  // whether these are the first channels of the gradient
    bool wanted() const { return all || gradient; }
  };

  static FASTSPEC_INLINE void point_with_slopes(const Ws& windows, const P* p, const int64_t* cell, const Channels& ch,
                                                const Slopes& slopes, int64_t place) {
    const Sloping sloping(windows, p);
    T gradient[D] = {};
    for (int64_t c = 0; c < ch.count; ++c) {
      L value, along[D];
      sloping.sums(corner(p, cell, ch.buffer + c * ch.size), value, along);
      if (ch.values) reduce<T, Tl::kRowLanes, Parts>(value, ch.value(c, place));
      if (slopes.all) {
        T* at = slopes.all + (c * ch.distance + place * Parts) * D;
        FASTSPEC_UNROLL
        for (int d = 0; d < D; ++d) reduce<T, Tl::kRowLanes, Parts>(along[d], at + d * Parts);
      } else {
        const auto strength = broadcast<T, Tl::kRowLanes, Parts>(slopes.strengths + c * ch.distance + place * Parts);
        FASTSPEC_UNROLL
        for (int d = 0; d < D; ++d) {
          T part;
          reduce<T, Tl::kRowLanes, 1>(strength * along[d], &part);
          gradient[d] += part;
        }
      }
    }
    if (!slopes.gradient) return;
    T* at = slopes.gradient + place * D;
    for (int d = 0; d < D; ++d) at[d] = slopes.first ? gradient[d] : at[d] + gradient[d];
  }

  static void dense(const Ws& windows, const P* position, const int32_t* order, int64_t count, int64_t cell,
                    const Channels& ch, const Slopes& slopes) {
    using Many = Dense<T, W, Parts>;
    for (int64_t c = 0; c < ch.count; ++c) {
      const T* buffer = ch.buffer + c * ch.size;
      if (ch.values)
        Many::interpolate(windows.column, position, order, count, buffer, cell, ch.value(c, 0),
                          slopes.all ? slopes.all + c * ch.distance : nullptr);
      if (slopes.gradient)
        Many::gradient(windows.column, position, order, count, buffer, cell, slopes.strengths + c * ch.distance,
                       slopes.first && c == 0, slopes.gradient);
    }
  }

  // Values and strengths are in the user's order: fetch them before they are waited for. In 2-D and 3-D there is so
  // much work to a point that values can wait for themselves.
  static FASTSPEC_INLINE void fetch(const Channels& ch, const Slopes& slopes, const int32_t* order, int64_t j,
                                    int64_t all) {
    if (j >= all) return;
    if (D == 1 && ch.values) __builtin_prefetch(ch.value(0, order[j]), 1);
    if (slopes.gradient) __builtin_prefetch(slopes.strengths + order[j] * int64_t(Parts));
  }

  static void points(const InterpolateArgs<T>& a, const Ws& windows, const Channels& ch, const Slopes& slopes,
                     int64_t set, int64_t first, int64_t last, const int64_t* cell) {
    const P* position = a.points.position + set * a.points.count * D;
    const int32_t* order = a.points.order + set * a.points.count;
    int64_t j = first;
    if constexpr (D == 1) {
      if (sorted_by_cell(a.grid, a.points.count)) {
        dense(windows, position + first, order + first, last - first, cell[0], ch, slopes);
        return;
      }
    }
    if constexpr (Ws::kTwoPoints)
      for (; j + 1 < last && !slopes.wanted(); j += 2) {
        fetch(ch, slopes, order, j + kAhead, a.points.count);
        fetch(ch, slopes, order, j + kAhead + 1, a.points.count);
        two_values(windows, position + j, order + j, cell, ch);
      }
    for (; j < last; ++j) {
      const P* p = position + j * D;
      if (D == 1 || slopes.gradient) fetch(ch, slopes, order, j + kAhead, a.points.count);
      if (slopes.wanted())
        point_with_slopes(windows, p, cell, ch, slopes, order[j]);
      else if (ch.count == 1)
        value(windows, p, cell, ch, 1, order[j]);
      else
        value(windows, p, cell, ch, ch.count, order[j]);
    }
  }

  static void tile(const InterpolateArgs<T>& a, const Ws& windows, int64_t set, int64_t channel, int64_t count,
                   int64_t tile) {
    const Grid& g = a.grid;
    const int64_t transform = set * a.channels + channel, distance = a.points.count * Parts;
    const T* grid = a.in + transform * g.total() * Parts;
    const Slopes slopes{a.slopes ? a.slopes + transform * distance * D : nullptr,
                        a.gradient ? a.strengths + transform * distance : nullptr,
                        a.gradient ? a.gradient + set * a.points.count * D : nullptr, channel == 0};
    for_each_box<T, D, W, Parts>(g, a.points, set, tile,
                                 [&](const Box<D>& b, int64_t first, int64_t last, const int64_t* cell) {
      const int64_t size = Tl::numbers(b);
      T* buffer = static_cast<T*>(scratch(size_t(count * size) * sizeof(T)));
      for (int64_t c = 0; c < count; ++c) Tl::load(b, g, grid + c * g.total() * Parts, buffer + c * size);
      const Channels channels{count, buffer, size, a.values ? a.values + transform * distance : nullptr, distance};
      points(a, windows, channels, slopes, set, first, last, cell);
    });
  }

  static void run(const InterpolateArgs<T>& a) {
    const Ws windows(a.polynomials);
    const int64_t tiles = a.grid.tile_count(), groups = (a.channels + Tl::kTogether - 1) / Tl::kTogether;
    const double cost = a.points.sets * a.channels * a.points.count * work_per_point<D, W>();
    auto group = [&](int64_t set, int64_t group, int64_t index) {
      const int64_t channel = group * Tl::kTogether, left = a.channels - channel;
      tile(a, windows, set, channel, left < Tl::kTogether ? left : Tl::kTogether, index);
    };
    if (a.gradient)  // to which all channels of a point are added, so by one thread
      parallel(a.points.sets * tiles, cost, [&](int64_t task) {
        for (int64_t g = 0; g < groups; ++g) group(task / tiles, g, task % tiles);
      });
    else
      parallel(a.points.sets * groups * tiles, cost,
               [&](int64_t task) { group(task / tiles / groups, task / tiles % groups, task % tiles); });
  }
};

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
