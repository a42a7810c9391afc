// Interpolation: value = sum over the window's cells of window * grid, for all points, and its slopes.
//
// Blocks take chunks of points and hold a tile at a time, with its halo, in shared memory; or, for few points to a
// tile, read the grid where it is. A thread to a point; or, where windows have many numbers, eight lanes to one: each
// evaluates a tap of each axis, hands those of the slower axes to the others, and sums the window's cells at its own
// place along the fastest axis, so that neighbours read neighbours.
#pragma once
#include "geometry.h"
#include "launch.h"
#include "stages.h"
#include "window.h"

namespace fastspec::cuda {

struct InterpolateShape {
  Region region;
  Chunks chunks;
  int cells_at;  // offset in shared memory, in bytes
  size_t shared;
};

constexpr int interpolate_lanes(int dim, int parts, bool held) { return held && dim * parts > 2 ? 8 : 1; }
constexpr int interpolate_threads(int dim, int parts, bool held) {
  return interpolate_lanes(dim, parts, held) > 1 ? 256 : 128;
}

inline InterpolateShape interpolate_shape(const Grid& g, int width, int parts, int number_bytes, bool held,
                                          Chunks chunks) {
  InterpolateShape s{};
  s.region = region_of(g, width - 1);
  s.chunks = chunks;
  s.cells_at = (table_size(width) * number_bytes + 15) / 16 * 16;
  s.shared = size_t(s.cells_at) + (held ? size_t(s.region.cells) * parts * number_bytes : 0);
  return s;
}

// Width 0: known at run time only. Held: whether tiles are held in shared memory.
template <class T, int D, int Parts, int Width, bool WithSlopes, bool Held>
struct Interpolate {
  using P = typename Fixed<T>::type;
  static constexpr int kLanes = interpolate_lanes(D, Parts, Held);
  static constexpr int kMostThreads = interpolate_threads(D, Parts, Held);
  static constexpr int kLeastBlocks = WithSlopes ? 1 : 512 / kMostThreads;  // to a processor: bounds the registers
  static constexpr int kTaps = Width ? Width : kMaxWidth;
  static constexpr int kSlopes = WithSlopes ? D : 0;
  InterpolateArgs<T> a;
  InterpolateShape s;

  FASTSPEC_FORCE_INLINE int width() const { return Width ? Width : a.width; }

  // Where a window begins, in the region or in the grid, and its taps. Those of axis 0 are evaluated one by one.
  struct Window {
    const T *table, *cells;
    int64_t corner[D];
    T offset;
    T taps[D][kTaps], slopes[D][kTaps];
  };

  // Sums over the cells of the axes Axis ... D - 1, and the slopes along these axes.
  template <int Axis>
  struct Sums {
    T value[Parts] = {};
    T slope[WithSlopes && Axis < D ? D - Axis : 1][Parts] = {};
  };

  FASTSPEC_FORCE_INLINE int64_t pitch(int axis) const {
    if (Held) return s.region.stride[axis];
    int64_t cells = 1;
    FASTSPEC_UNROLLED
    for (int d = D - 1; d > axis; --d) cells *= a.grid.cells[d];
    return cells;
  }

  template <int Axis>
  FASTSPEC_FORCE_INLINE Sums<Axis> sums(const Window& w, int64_t at) const {
    Sums<Axis> total;
    if constexpr (Axis == D) {
      FASTSPEC_UNROLLED
      for (int q = 0; q < Parts; ++q) total.value[q] = w.cells[at * Parts + q];
    } else {
      auto add = [&](int i, T tap, T slope) {
        const int64_t along = Held ? w.corner[Axis] + i : wrapped(w.corner[Axis] + i, a.grid.cells[Axis]);
        const Sums<Axis + 1> inner = sums<Axis + 1>(w, at + (Held && Axis > 0 ? i : along) * pitch(Axis));
        FASTSPEC_UNROLLED
        for (int q = 0; q < Parts; ++q) {
          total.value[q] += tap * inner.value[q];
          if constexpr (WithSlopes) {
            total.slope[0][q] += slope * inner.value[q];
            FASTSPEC_UNROLLED
            for (int d = 1; d < D - Axis; ++d) total.slope[d][q] += tap * inner.slope[d - 1][q];
          }
        }
      };
      if constexpr (Axis == 0) {
        FASTSPEC_ROLLED
        for (int i = 0; i < width(); ++i) {
          T slope = 0;
          const T tap = tap_at<WithSlopes>(w.table, terms_of(width()), i, w.offset, slope);
          add(i, tap, slope);
        }
      } else if constexpr (Width > 0) {
        FASTSPEC_UNROLLED
        for (int i = 0; i < Width; ++i) add(i, w.taps[Axis][i], w.slopes[Axis][i]);
      } else {
        for (int i = 0; i < width(); ++i) add(i, w.taps[Axis][i], w.slopes[Axis][i]);
      }
    }
    return total;
  }

  FASTSPEC_FORCE_INLINE void evaluate(Window& w, int axis, T t) const {
    if constexpr (Width > 0) {
      FASTSPEC_UNROLLED
      for (int i = 0; i < Width; ++i)
        w.taps[axis][i] = tap_at<WithSlopes>(w.table, terms_of(Width), i, t, w.slopes[axis][i]);
    } else {
      for (int i = 0; i < width(); ++i)
        w.taps[axis][i] = tap_at<WithSlopes>(w.table, terms_of(width()), i, t, w.slopes[axis][i]);
    }
  }

  // The point at place `j` of a set. `cells`: the region, or the transform's grid.
  FASTSPEC_FORCE_INLINE void point(const T* table, const T* cells, int set, int channel, int64_t j,
                                   const int64_t* corner) const {
    const int64_t place = int64_t(set) * a.points.count + j;
    const P* p = a.points.position + place * D;
    if (!is_within<T, D>(a.grid, p) || !is_index(a.points.order[place], a.points.count)) return spoil(set, channel, j);
    Window w;
    w.table = table;
    w.cells = cells;
    w.offset = offset_of<T>(p[0]);
    FASTSPEC_UNROLLED
    for (int d = 0; d < D; ++d) w.corner[d] = corner[d] + cell_of<T>(p[d]);
    FASTSPEC_UNROLLED
    for (int d = 1; d < D; ++d) evaluate(w, d, offset_of<T>(p[d]));
    int64_t at = 0;
    if constexpr (Held) {
      FASTSPEC_UNROLLED
      for (int d = 1; d < D; ++d) at += w.corner[d] * s.region.stride[d];
    }
    store(sums<0>(w, at), set, channel, a.points.order[place]);
  }

  // --- by lanes, each at the places lane, lane + kLanes ... along the fastest axis ---

  static constexpr int kPlaces = (kTaps + kLanes - 1) / kLanes;

  template <class Lanes>
  struct LaneTaps {
    typename Lanes::template PerLane<T> value[D][kPlaces], slope[D][kPlaces];
  };
  template <class Lanes>
  struct LaneSums {
    typename Lanes::template PerLane<T> value[Parts], slope[WithSlopes ? D : 1][Parts];
  };

  template <class Lanes>
  FASTSPEC_FORCE_INLINE void evaluate_by_lanes(const Lanes& lanes, const T* table, const P* p,
                                               LaneTaps<Lanes>& taps) const {
    lanes.each([&](int lane) {
      FASTSPEC_UNROLLED
      for (int d = 0; d < D; ++d) {
        FASTSPEC_UNROLLED
        for (int k = 0; k < kPlaces; ++k) {
          const int i = lane + k * kLanes;
          T value = 0, slope = 0;
          if (i < width()) value = tap_at<WithSlopes>(table, terms_of(width()), i, offset_of<T>(p[d]), slope);
          taps.value[d][k][lane] = value;
          taps.slope[d][k][lane] = slope;
        }
      }
    });
  }

  // The taps of the axis before the last, in each lane.
  struct Rows {
    T tap[kTaps], slope[kTaps];
  };

  template <class Lanes>
  FASTSPEC_FORCE_INLINE Rows rows_of(const Lanes& lanes, const LaneTaps<Lanes>& taps) const {
    Rows rows;
    FASTSPEC_UNROLLED
    for (int i = 0; i < kTaps; ++i) {
      rows.tap[i] = lanes.from(taps.value[D - 2][i / kLanes], i % kLanes);
      if constexpr (WithSlopes) rows.slope[i] = lanes.from(taps.slope[D - 2][i / kLanes], i % kLanes);
    }
    return rows;
  }

  // Adds a plane of the window, whose corner is at `corner`, times its tap along the slowest axis of three.
  template <class Lanes>
  FASTSPEC_FORCE_INLINE void add_plane(const Lanes& lanes, const T* corner, const Rows& rows,
                                       const LaneTaps<Lanes>& taps, T tap, T slope, LaneSums<Lanes>& sums) const {
    lanes.each([&](int lane) {
      FASTSPEC_UNROLLED
      for (int k = 0; k < kPlaces; ++k) {
        const int x = lane + k * kLanes;
        if (x >= width()) continue;
        T value[Parts] = {}, along[Parts] = {};
        FASTSPEC_UNROLLED
        for (int y = 0; y < kTaps; ++y) {
          if (Width == 0 && y >= width()) break;
          FASTSPEC_UNROLLED
          for (int q = 0; q < Parts; ++q) {
            const T cell = corner[(y * s.region.stride[D - 2] + x) * Parts + q];
            value[q] += rows.tap[y] * cell;
            if constexpr (WithSlopes) along[q] += rows.slope[y] * cell;
          }
        }
        const T here = taps.value[D - 1][k][lane], by = tap * here;
        FASTSPEC_UNROLLED
        for (int q = 0; q < Parts; ++q) {
          sums.value[q][lane] += by * value[q];
          if constexpr (WithSlopes) {
            if constexpr (D == 3) sums.slope[0][q][lane] += slope * here * value[q];
            sums.slope[D - 2][q][lane] += by * along[q];
            sums.slope[D - 1][q][lane] += tap * taps.slope[D - 1][k][lane] * value[q];
          }
        }
      }
    });
  }

  template <class Lanes>
  FASTSPEC_FORCE_INLINE void add_window(const Lanes& lanes, const T* corner, const LaneTaps<Lanes>& taps,
                                        LaneSums<Lanes>& sums) const {
    const Rows rows = rows_of(lanes, taps);
    if constexpr (D == 2) return add_plane(lanes, corner, rows, taps, T(1), T(0), sums);
    FASTSPEC_UNROLLED
    for (int k = 0; k < kPlaces; ++k) {
      for (int i = 0; i < kLanes && k * kLanes + i < width(); ++i) {
        const T slope = WithSlopes ? lanes.from(taps.slope[0][k], i) : T(0);
        add_plane(lanes, corner + int64_t(k * kLanes + i) * s.region.stride[0] * Parts, rows, taps,
                  lanes.from(taps.value[0][k], i), slope, sums);
      }
    }
  }

  template <class Lanes>
  FASTSPEC_FORCE_INLINE void point_by_lanes(const Lanes& lanes, const T* table, const T* cells, int set, int channel,
                                            int64_t j) const {
    const int64_t place = int64_t(set) * a.points.count + j;
    const P* p = a.points.position + place * D;
    if (!is_within<T, D>(a.grid, p) || !is_index(a.points.order[place], a.points.count))
      return lanes.one([&] { spoil(set, channel, j); });
    int at = 0;
    FASTSPEC_UNROLLED
    for (int d = 0; d < D; ++d) at += int(cell_of<T>(p[d])) * s.region.stride[d];
    LaneTaps<Lanes> taps;
    evaluate_by_lanes(lanes, table, p, taps);
    LaneSums<Lanes> sums{};
    add_window(lanes, cells + int64_t(at) * Parts, taps, sums);
    Sums<0> total;
    FASTSPEC_UNROLLED
    for (int q = 0; q < Parts; ++q) {
      total.value[q] = lanes.sum(sums.value[q]);
      FASTSPEC_UNROLLED
      for (int d = 0; d < kSlopes; ++d) total.slope[d][q] = lanes.sum(sums.slope[d][q]);
    }
    lanes.one([&] { store(total, set, channel, a.points.order[place]); });
  }

  // What is no point, or not finite.
  FASTSPEC_FORCE_INLINE void spoil(int set, int channel, int64_t j) const {
    Sums<0> none;
    FASTSPEC_UNROLLED
    for (int q = 0; q < Parts; ++q) {
      none.value[q] = T(NAN);
      if constexpr (WithSlopes) {
        FASTSPEC_UNROLLED
        for (int d = 0; d < D; ++d) none.slope[d][q] = T(NAN);
      }
    }
    const int64_t point = a.points.order[int64_t(set) * a.points.count + j];
    store(none, set, channel, is_index(point, a.points.count) ? point : j);
  }

  FASTSPEC_FORCE_INLINE void store(const Sums<0>& sums, int set, int channel, int64_t point) const {
    const int64_t to = (int64_t(set) * a.channels + channel) * a.points.count + point;
    FASTSPEC_UNROLLED
    for (int q = 0; q < Parts; ++q)
      if (a.values) a.values[to * Parts + q] = sums.value[q];
    if constexpr (WithSlopes) {
      T* gradient = a.gradient ? a.gradient + (int64_t(set) * a.points.count + point) * D : nullptr;
      FASTSPEC_UNROLLED
      for (int d = 0; d < D; ++d) {
        T along = channel > 0 && gradient ? gradient[d] : T(0);
        FASTSPEC_UNROLLED
        for (int q = 0; q < Parts; ++q) {
          if (a.slopes) a.slopes[(to * D + d) * Parts + q] = sums.slope[d][q];
          if (gradient) along += a.strengths[to * Parts + q] * sums.slope[d][q];
        }
        if (gradient) gradient[d] = along;
      }
    }
  }

  template <class Block>
  FASTSPEC_FORCE_INLINE void tile(Block& block, const T* table, T* cells, int set, int channel, int tile, int64_t first,
                                  int64_t last) const {
    const T* grid = a.in + (int64_t(set) * a.channels + channel) * a.grid.total() * Parts;
    const Box box = tile_box<D>(a.grid, tile);
    block.each([&](int thread) {
      int extent[D];
      FASTSPEC_UNROLLED
      for (int d = 0; d < D; ++d) extent[d] = box.extent[d] + a.width - 1;
      for_each_cell<D>(a.grid, s.region, box.corner, extent, thread, kMostThreads, [&](int to, int64_t from) {
        FASTSPEC_UNROLLED
        for (int q = 0; q < Parts; ++q) cells[to * Parts + q] = grid[from * Parts + q];
      });
    });
    if constexpr (kLanes > 1) {
      block.template each_group<kLanes>([&](const auto& lanes, int group) {
        for (int64_t j = first + group; j < last; j += kMostThreads / kLanes)
          point_by_lanes(lanes, table, cells, set, channel, j);
      });
    } else {
      block.each([&](int thread) {
        const int64_t corner[D] = {};
        for (int64_t j = first + thread; j < last; j += kMostThreads) point(table, cells, set, channel, j, corner);
      });
    }
  }

  template <class Block>
  FASTSPEC_FORCE_INLINE void one_by_one(Block& block, const T* table, const int32_t* starts, int set, int channel,
                                        int64_t first, int64_t last) const {
    const T* grid = a.in + (int64_t(set) * a.channels + channel) * a.grid.total() * Parts;
    block.each([&](int thread) {
      for (int64_t j = first + thread; j < last; j += kMostThreads) {
        const Box box = tile_box<D>(a.grid, tile_of(starts, int(a.grid.tile_count()), j));
        point(table, grid, set, channel, j, box.corner);
      }
    });
  }

  // Blocks take one channel, or, where the gradient sums over them, all channels one after the other.
  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    T* table = reinterpret_cast<T*>(block.shared);
    T* cells = reinterpret_cast<T*>(block.shared + s.cells_at);
    const int channels = int(a.channels), row = index / s.chunks.per_set;
    const int set = a.gradient ? row : row / channels, begin = a.gradient ? 0 : row % channels;
    const int end = a.gradient ? channels : begin + 1, tiles = int(a.grid.tile_count());
    const Places places = places_of_chunk(a.grid, a.points, set, s.chunks, index);
    const int64_t from = places.first, sorted = places.starts[tiles];
    const int64_t to = from + s.chunks.size < a.points.count ? from + s.chunks.size : a.points.count;

    block.each([&](int thread) { load_table(a.polynomials, a.width, table, thread, kMostThreads); });
    if constexpr (Held) {
      for_each_tile(places, tiles, [&](int at, int64_t first, int64_t last) {
        for (int channel = begin; channel < end; ++channel) tile(block, table, cells, set, channel, at, first, last);
      });
    } else {
      for (int channel = begin; channel < end; ++channel)
        one_by_one(block, table, places.starts, set, channel, from, places.last);
    }
    if (to > sorted)
      block.each([&](int thread) {
        for (int channel = begin; channel < end; ++channel)
          for (int64_t j = (from < sorted ? sorted : from) + thread; j < to; j += kMostThreads) spoil(set, channel, j);
      });
  }
};

template <class T, int D, int Parts, int Width, bool WithSlopes, bool Held>
void launch_interpolate(const InterpolateArgs<T>& a, const InterpolateShape& s, void* stream) {
  const int64_t rows = a.points.sets * (a.gradient ? 1 : a.channels);
  using Work = Interpolate<T, D, Parts, Width, WithSlopes, Held>;
  launch(Work{a, s}, {rows * s.chunks.per_set, Work::kMostThreads, s.shared}, stream);
}

// Whether a kernel is compiled for its width, to hold taps in registers: in 1-D none are held, and those of the widest
// with the most sums do not fit.
constexpr bool has_own_width(int width, int dim, int parts, bool slopes) {
  return dim > 1 && !(width > 8 && dim == 3 && parts == 2 && slopes);
}

template <class T, int D, int Parts, bool WithSlopes>
void interpolate_with(const InterpolateArgs<T>& a, void* stream) {
  constexpr int64_t least_chunk = 512, most_chunk = 4096;
  const int64_t transforms = a.points.sets * a.channels;
  const Chunks chunks = chunks_of(a.points.count, transforms, processors(), least_chunk, most_chunk);
  auto shape = [&](bool held) { return interpolate_shape(a.grid, a.width, Parts, sizeof(T), held, chunks); };
  const InterpolateShape s = shape(true);
  if (s.shared > most_shared() || is_sparse(a.grid, s.region, a.points.count, a.width))
    return launch_interpolate<T, D, Parts, 0, WithSlopes, false>(a, shape(false), stream);
  if constexpr (sizeof(T) == 4) {
#define FASTSPEC_WIDTH(W) \
  if (a.width == W)       \
    return launch_interpolate<T, D, Parts, W * has_own_width(W, D, Parts, WithSlopes), WithSlopes, true>(a, s, stream);
    FASTSPEC_SINGLE_WIDTHS(FASTSPEC_WIDTH)
#undef FASTSPEC_WIDTH
    throw std::runtime_error("polynomials: of a width that no kernel is made for");
  } else {
    launch_interpolate<T, D, Parts, 0, WithSlopes, true>(a, s, stream);
  }
}

// One dimension to a source file: they compile side by side.
template <class T, int D>
void interpolate_in(const InterpolateArgs<T>& a, void* stream) {
  const bool slopes = a.slopes || a.gradient;
  if (a.complex)
    return slopes ? interpolate_with<T, D, 2, true>(a, stream) : interpolate_with<T, D, 2, false>(a, stream);
  return slopes ? interpolate_with<T, D, 1, true>(a, stream) : interpolate_with<T, D, 1, false>(a, stream);
}

}  // namespace fastspec::cuda
