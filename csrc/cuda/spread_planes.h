// Spreading in three dimensions by a warp to a plane of the window, over chunks of points as in spread.h.
//
// A warp owns every Width-th plane of cells along the slowest axis, so of each point's window exactly one; of narrow
// windows it owns as many as it has lanes for. Its lanes go over the plane's cells, which lie at the same distances
// from the window's corner for every point: no remainders, no bounds, and no two threads add to the same cell. What the
// planes of a window have in common, the products of the taps of the two faster axes, is made once for all warps.
#pragma once
#include "geometry.h"
#include "stages.h"
#include "window.h"

namespace fastspec::cuda {

constexpr int cells_of_plane(int width) { return width * width; }
constexpr int planes_of_warp(int width) { return width * width <= 16 ? 32 / cells_of_plane(width) : 1; }
constexpr int warps_of_planes(int width) { return (width + planes_of_warp(width) - 1) / planes_of_warp(width); }
constexpr int threads_of_planes(int width) { return 32 * (warps_of_planes(width) < 4 ? 4 : warps_of_planes(width)); }

// A number of a cell, moved in one piece.
template <class T, int Parts>
struct alignas(Parts * sizeof(T)) Number {
  T part[Parts];
};

// A point's offset along each axis, the corner of its window in the region, and the warp's residue of its first plane.
template <class T, int Parts>
struct PlanesPoint {
  T offset[kMaxDim], strength[Parts];
  int corner, residue;
};

// A plane of a point's window: its corner in the region, and what each of its products is multiplied by.
template <class T, int Parts>
struct alignas(Parts * sizeof(T) < 8 ? 8 : 16) Plane {
  T factor[Parts];
  int corner;
};

struct PlanesShape {
  Region region;
  Chunks chunks;
  int batch;  // points that are prepared together
  // offsets in shared memory, in bytes
  int table_at, points_at, taps_at, planes_at, products_at, cells_at;
  size_t shared;
};

// Distance between rows of the region, chosen so that a plane's cells, in the order of the lanes, are on different
// banks: rows follow each other without a gap, forwards, or backwards where forwards is too far (see place_of).
inline int row_stride(int width, int extent, int number_bytes) {
  constexpr int farthest = 8;
  const int banks = 128 / number_bytes, wanted = number_bytes == 4 ? banks - width : width % banks;
  const int beyond = ((wanted - extent) % banks + banks) % banks;
  return beyond <= farthest ? extent + beyond : extent | 1;
}

inline Region planes_region(const Grid& g, int width, int number_bytes) {
  Region r = region_of(g, width - 1);
  r.stride[1] = row_stride(width, r.extent[2], number_bytes);
  r.stride[0] = r.extent[1] * r.stride[1] | 1;
  r.cells = r.extent[0] * r.stride[0];
  return r;
}

template <class T, int Parts>
PlanesShape planes_shape(const Grid& g, int width, Chunks chunks) {
  constexpr int batch_bytes = 12 << 10, least_batch = 8, most_batch = 64;
  PlanesShape s{};
  s.region = planes_region(g, width, Parts * sizeof(T));
  s.chunks = chunks;
  const int point_bytes =
      int(sizeof(PlanesPoint<T, Parts>) + width * sizeof(Plane<T, Parts>) + cells_of_plane(width) * sizeof(T));
  const int batch = batch_bytes / point_bytes / 8 * 8;
  s.batch = batch < least_batch ? least_batch : batch < most_batch ? batch : most_batch;
  size_t end = 0;
  auto take = [&](size_t bytes) {
    const size_t at = end;
    end = (at + bytes + 15) / 16 * 16;
    return int(at);
  };
  s.table_at = take(size_t(table_size(width)) * sizeof(T));
  s.points_at = take(sizeof(PlanesPoint<T, Parts>) * s.batch);
  s.taps_at = take(sizeof(T) * 2 * width * (threads_of_planes(width) / 32));
  s.planes_at = take(sizeof(Plane<T, Parts>) * s.batch * width);
  s.products_at = take(sizeof(T) * s.batch * cells_of_plane(width));
  s.cells_at = take(sizeof(Number<T, Parts>) * s.region.cells);
  s.shared = end;
  return s;
}

template <class T, int Parts, int Width>
struct SpreadPlanes {
  using P = typename Fixed<T>::type;
  using Point = PlanesPoint<T, Parts>;
  static constexpr int kMostThreads = threads_of_planes(Width), kLeastBlocks = Width * sizeof(T) > 40 ? 1 : 4;
  static constexpr int kWarps = kMostThreads / 32, kOwners = warps_of_planes(Width);
  static constexpr int kOwned = planes_of_warp(Width), kCells = cells_of_plane(Width);
  static_assert(Width % kOwned == 0);
  static constexpr int kRounds = (kOwned * kCells + 31) / 32;  // of a warp over its cells
  SpreadArgs<T> a;
  PlanesShape s;

  struct Shared {
    T* table;
    Point* points;
    T* taps;
    Plane<T, Parts>* planes;
    T* products;
    Number<T, Parts>* cells;
  };

  FASTSPEC_FORCE_INLINE Shared shared(char* memory) const {
    return {reinterpret_cast<T*>(memory + s.table_at),    reinterpret_cast<Point*>(memory + s.points_at),
            reinterpret_cast<T*>(memory + s.taps_at),     reinterpret_cast<Plane<T, Parts>*>(memory + s.planes_at),
            reinterpret_cast<T*>(memory + s.products_at), reinterpret_cast<Number<T, Parts>*>(memory + s.cells_at)};
  }

  // The cell of a plane that is `place` in the order of the lanes, along the two faster axes.
  struct Cell {
    int y, x;
  };
  FASTSPEC_FORCE_INLINE static Cell cell_at(int place) {
    const int x = place % Width;
    return {place / Width, Parts * sizeof(T) == 4 ? Width - 1 - x : x};
  }

  // --- a batch of points ---

  FASTSPEC_FORCE_INLINE Point point_of(int transform, int64_t at) const {
    const int64_t place = int64_t(transform / int(a.channels)) * a.points.count + at;
    const P* p = a.points.position + place * 3;
    const int64_t index = a.points.order[place];
    const bool known = is_index(index, a.points.count) && is_within<T, 3>(a.grid, p);
    const T* strength = a.strengths + (int64_t(transform) * a.points.count + (known ? index : 0)) * Parts;
    Point point{};
    FASTSPEC_UNROLLED
    for (int d = 0; d < 3; ++d) {
      const int cell = known ? int(cell_of<T>(p[d])) : 0;
      point.offset[d] = offset_of<T>(p[d]);
      point.corner += cell * s.region.stride[d];
      if (d == 0) point.residue = cell % Width;
    }
    FASTSPEC_UNROLLED
    for (int q = 0; q < Parts; ++q) point.strength[q] = known ? strength[q] : T(NAN);
    return point;
  }

  // A warp makes the planes of point i and what they have in common.
  template <class Lanes>
  FASTSPEC_FORCE_INLINE void prepare(const Lanes& lanes, const Shared& m, T* taps, int i) const {
    lanes.each([&](int lane) {
      const Point& point = m.points[i];
      FASTSPEC_UNROLLED
      for (int r = 0; r < (3 * Width + 31) / 32; ++r) {
        const int item = lane + 32 * r;
        if (item >= 3 * Width) continue;
        const int axis = item / Width, tap = item % Width;
        T unused;
        const T value = tap_at<false>(m.table, terms_of(Width), tap, point.offset[axis], unused);
        if (axis > 0) {
          taps[item - Width] = value;
        } else {
          const int owner = point.residue + tap;
          Plane<T, Parts> plane;
          FASTSPEC_UNROLLED
          for (int q = 0; q < Parts; ++q) plane.factor[q] = value * point.strength[q];
          plane.corner = point.corner + tap * s.region.stride[0];
          m.planes[i * Width + (owner < Width ? owner : owner - Width)] = plane;
        }
      }
    });
    lanes.meet();
    lanes.each([&](int lane) {
      FASTSPEC_UNROLLED
      for (int r = 0; r < (kCells + 31) / 32; ++r) {
        const int place = lane + 32 * r;
        if (place >= kCells) continue;
        const Cell cell = cell_at(place);
        m.products[i * kCells + place] = taps[cell.y] * taps[Width + cell.x];
      }
    });
    lanes.meet();
  }

  // --- adding ---

  // What a lane owns of the warp's planes: the first of them in the point's order, a place in it, and the distances of
  // its cells from the plane's corner.
  struct Own {
    int plane, place, distance[kRounds];
    bool last;  // whether it has a cell in the last round
  };

  FASTSPEC_FORCE_INLINE Own own_of(int warp, int lane) const {
    Own own{warp, lane, {}, lane + 32 * (kRounds - 1) < kOwned * kCells};
    if (kOwned > 1) {
      own.plane = warp * kOwned + (own.last ? lane / kCells : 0);
      own.place = lane % kCells;
    }
    FASTSPEC_UNROLLED
    for (int r = 0; r < kRounds; ++r) {
      const Cell cell = cell_at(own.place + 32 * r);
      own.distance[r] = cell.y * s.region.stride[1] + cell.x;
    }
    return own;
  }

  struct Held {
    Plane<T, Parts> plane;
    T product[kRounds];
  };

  FASTSPEC_FORCE_INLINE Held held(const Shared& m, const Own& own, int i) const {
    Held h;
    h.plane = m.planes[i * Width + own.plane];
    FASTSPEC_UNROLLED
    for (int r = 0; r < kRounds; ++r)
      h.product[r] = r + 1 < kRounds || own.last ? m.products[i * kCells + own.place + 32 * r] : T(0);
    return h;
  }

  // All cells are read before one is written: the compiler cannot know that they differ.
  FASTSPEC_FORCE_INLINE void add(const Shared& m, const Own& own, const Held& h) const {
    Number<T, Parts>* const corner = m.cells + h.plane.corner;
    Number<T, Parts> sums[kRounds];
    FASTSPEC_UNROLLED
    for (int r = 0; r < kRounds; ++r)
      if (r + 1 < kRounds || own.last) sums[r] = corner[own.distance[r]];
    FASTSPEC_UNROLLED
    for (int r = 0; r < kRounds; ++r) {
      FASTSPEC_UNROLLED
      for (int q = 0; q < Parts; ++q) sums[r].part[q] += h.product[r] * h.plane.factor[q];
      if (r + 1 < kRounds || own.last) corner[own.distance[r]] = sums[r];
    }
  }

  // A warp adds its planes of n points, the next one's read before this one's are written.
  template <class Lanes>
  FASTSPEC_FORCE_INLINE void add_batch(const Lanes& lanes, const Shared& m, int warp, int n) const {
    typename Lanes::template PerLane<Own> own;
    typename Lanes::template PerLane<Held> next;
    lanes.each([&](int lane) {
      own[lane] = own_of(warp, lane);
      next[lane] = held(m, own[lane], 0);
    });
    for (int i = 1; i < n; ++i) {
      lanes.each([&](int lane) {
        const Held now = next[lane];
        next[lane] = held(m, own[lane], i);
        add(m, own[lane], now);
      });
      lanes.meet();
    }
    lanes.each([&](int lane) { add(m, own[lane], next[lane]); });
  }

  template <class Block>
  FASTSPEC_FORCE_INLINE void points(Block& block, const Shared& m, int transform, int64_t first, int64_t last) const {
    for (; first < last; first += s.batch) {
      const int n = int(last - first < s.batch ? last - first : s.batch);
      block.each([&](int thread) {
        for (int i = thread; i < n; i += kMostThreads) m.points[i] = point_of(transform, first + i);
      });
      block.template each_group<32>([&](const auto& lanes, int warp) {
        for (int i = warp; i < n; i += kWarps) prepare(lanes, m, m.taps + warp * 2 * Width, i);
      });
      block.template each_group<32>([&](const auto& lanes, int warp) {
        if (warp < kOwners) add_batch(lanes, m, warp, n);
      });
    }
  }

  // --- a block ---

  FASTSPEC_FORCE_INLINE void flush(const Shared& m, const Box& box, T* grid, int thread) const {
    int extent[3];
    FASTSPEC_UNROLLED
    for (int d = 0; d < 3; ++d) extent[d] = box.extent[d] + Width - 1;
    for_each_cell<3>(a.grid, s.region, box.corner, extent, thread, kMostThreads, [&](int from, int64_t to) {
      const Number<T, Parts> sum = m.cells[from];
      bool any = false;
      FASTSPEC_UNROLLED
      for (int q = 0; q < Parts; ++q) any = any || sum.part[q] != 0;
      if (any) add_number<Parts>(grid + to * Parts, sum.part);
    });
  }

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    const Shared m = shared(block.shared);
    const int transform = index / s.chunks.per_set;
    const Places places = places_of_chunk(a.grid, a.points, transform / int(a.channels), s.chunks, index);
    if (places.first >= places.last) return;
    T* grid = a.out + int64_t(transform) * a.grid.total() * Parts;
    block.each([&](int thread) { load_table(a.polynomials, Width, m.table, thread, kMostThreads); });
    for_each_tile(places, int(a.grid.tile_count()), [&](int tile, int64_t first, int64_t last) {
      const Box box = tile_box<3>(a.grid, tile);
      block.each([&](int thread) {
        for (int i = thread; i < s.region.cells; i += kMostThreads) m.cells[i] = {};
      });
      points(block, m, transform, first, last);
      block.each([&](int thread) { flush(m, box, grid, thread); });
    });
  }
};

// The launch, for the widths of spread_planes.cu.
template <class T, int Parts>
void spread_planes(const SpreadArgs<T>& a, const PlanesShape& s, void* stream);

}  // namespace fastspec::cuda
