// Spreading: grid += strength * window, for all points. Adjoint of interpolate.h.
//
// Output-driven within a block: no two threads add to the same cell, so there are no atomics and no barriers between
// points. A window of W cells has one cell in each residue class modulo W, so in each point's window the thread that
// owns a class along every axis finds exactly one cell, here for W = 4 and a point whose window begins at cell 6:
//
//     cell     4  5 [6  7  8  9] 10
//     owner    0  1  2  3  0  1  2
//
// Along the slowest axis a thread owns every `slices`-th cell, fewer than W of them where W^D threads are too many, and
// so adds several cells for each point. Where one such group of threads is small, several groups share the points, each
// with its own copy of the region.
#pragma once
#include "geometry.h"
#include "stages.h"
#include "window.h"

namespace fastspec::cuda {

enum class SpreadBy {
  kChunks,  // blocks take chunks of points, hold a tile at a time with its halo, and add it to the grid with atomics
  kTiles,   // blocks take tiles and all points that reach their cells: no atomics, the same order of sums every time
  kPoints,  // for few points to a tile: blocks take chunks of points and add them to the grid one by one
};

// What a thread owns: its group, and the residue of its cells along each axis, modulo slices along the first.
struct alignas(8) Lane {
  int16_t group, residue[kMaxDim];
};

// Where a window begins. kChunks: its cell in the region, and that cell's residues. kTiles: its place relative to the
// region along each axis. kPoints: its cell of the grid along each axis.
struct alignas(16) Corner {
  int cell;
  int along[kMaxDim];
};

struct SpreadShape {
  Region region;
  int slices, lanes, copies, threads;
  int batch;       // points whose windows are evaluated together
  int tap_stride;  // between points, in numbers
  Chunks chunks;
  // offsets in shared memory, in bytes
  int lanes_at, corners_at, table_at, strengths_at, taps_at, cells_at;
  size_t shared;
};

inline SpreadShape spread_shape(const Grid& g, int width, int parts, int number_bytes, SpreadBy by, Chunks chunks) {
  constexpr int most_threads = 256, wanted_lanes = 128, most_copies = 16, copies_bytes = 48 << 10;
  SpreadShape s{};
  int inner = 1;
  for (int a = 1; a < g.dim; ++a) inner *= width;
  s.slices = wanted_lanes / inner < 1 ? 1 : wanted_lanes / inner < width ? wanted_lanes / inner : width;
  s.lanes = s.slices * inner;
  s.copies = most_threads / s.lanes;
  s.region = region_of(g, by == SpreadBy::kChunks ? width - 1 : 0);
  int64_t region_bytes = by == SpreadBy::kPoints ? 0 : int64_t(s.region.cells) * parts * number_bytes;
  if (by != SpreadBy::kPoints) {
    if (s.copies > most_copies) s.copies = most_copies;
    while (s.copies > 1 && s.copies * region_bytes > copies_bytes) --s.copies;
  }
  s.threads = (s.copies * s.lanes + 31) / 32 * 32;
  s.batch = g.dim == 3 ? 64 : 128;
  s.tap_stride = g.dim * width | 1;
  s.chunks = chunks;
  size_t end = 0;
  auto take = [&](size_t bytes) {
    const size_t at = end;
    end = (at + bytes + 15) / 16 * 16;
    return int(at);
  };
  s.lanes_at = take(sizeof(Lane) * s.threads);
  s.corners_at = take(sizeof(Corner) * s.batch);
  s.table_at = take(size_t(table_size(width)) * number_bytes);
  s.strengths_at = take(size_t(s.batch) * parts * number_bytes);
  s.taps_at = take(size_t(s.batch) * s.tap_stride * number_bytes);
  s.cells_at = int(end);
  s.shared = end + size_t(s.copies * region_bytes);
  return s;
}

template <class T, int D, int Parts, SpreadBy By>
struct Spread {
  using P = typename Fixed<T>::type;
  static constexpr int kMostThreads = 256, kLeastBlocks = 1;
  SpreadArgs<T> a;
  SpreadShape s;

  struct Shared {
    Lane* lanes;
    Corner* corners;
    T *table, *strengths, *taps, *cells;
  };

  FASTSPEC_FORCE_INLINE Shared shared(char* memory) const {
    return {reinterpret_cast<Lane*>(memory + s.lanes_at), reinterpret_cast<Corner*>(memory + s.corners_at),
            reinterpret_cast<T*>(memory + s.table_at),    reinterpret_cast<T*>(memory + s.strengths_at),
            reinterpret_cast<T*>(memory + s.taps_at),     reinterpret_cast<T*>(memory + s.cells_at)};
  }

  FASTSPEC_FORCE_INLINE Lane lane_of(int thread) const {
    int rest = thread % s.lanes;
    Lane l{int16_t(thread / s.lanes), {}};
    FASTSPEC_UNROLLED
    for (int d = D - 1; d > 0; --d, rest /= a.width) l.residue[d] = int16_t(rest % a.width);
    l.residue[0] = int16_t(rest);
    return l;
  }

  // --- a batch of points ---

  FASTSPEC_FORCE_INLINE Corner corner_of(const P* p, bool known, const int* shift) const {
    Corner c{};
    FASTSPEC_UNROLLED
    for (int d = 0; d < D; ++d) {
      const int cell = (known ? int(cell_of<T>(p[d])) : 0) + shift[d];
      if constexpr (By == SpreadBy::kChunks) {
        c.cell += cell * s.region.stride[d];
        c.along[d] = cell % (d == 0 ? s.slices : a.width);
      } else {
        c.along[d] = cell;
      }
    }
    return c;
  }

  // One axis' taps of one point.
  FASTSPEC_FORCE_INLINE void evaluate(const Shared& m, int i, int axis, P position) const {
    const T t = offset_of<T>(position);
    T* taps = m.taps + i * s.tap_stride + axis * a.width;
    T unused;
    for (int tap = 0; tap < a.width; ++tap) taps[tap] = tap_at<false>(m.table, terms_of(a.width), tap, t, unused);
  }

  // Points first ... first + n - 1 of a set; `shift` as for corner_of.
  FASTSPEC_FORCE_INLINE void prepare(const Shared& m, int transform, int64_t first, int n, const int* shift,
                                     int thread) const {
    const int set = transform / int(a.channels), tiles = int(a.grid.tile_count());
    for (int item = thread; item < s.batch * D; item += s.threads) {
      const int axis = item / s.batch, i = item % s.batch;
      if (i >= n) continue;
      const int64_t place = int64_t(set) * a.points.count + first + i;
      const P* p = a.points.position + place * D;
      evaluate(m, i, axis, p[axis]);
      if (axis > 0) continue;
      const int64_t point = a.points.order[place];
      const bool known = is_index(point, a.points.count) && is_within<T, D>(a.grid, p);
      const T* strength = a.strengths + (int64_t(transform) * a.points.count + (known ? point : 0)) * Parts;
      FASTSPEC_UNROLLED
      for (int q = 0; q < Parts; ++q) m.strengths[i * Parts + q] = known ? strength[q] : T(NAN);
      if constexpr (By == SpreadBy::kPoints) {
        const Box box = tile_box<D>(a.grid, tile_of(a.points.starts + int64_t(set) * (tiles + 1), tiles, first + i));
        int corner[D];
        FASTSPEC_UNROLLED
        for (int d = 0; d < D; ++d) corner[d] = int(box.corner[d]);
        m.corners[i] = corner_of(p, known, corner);
      } else {
        m.corners[i] = corner_of(p, known, shift);
      }
    }
  }

  // The tap of a lane along an axis for a window, by residues.
  FASTSPEC_FORCE_INLINE static int tap_of(int residue, int corner, int modulus) {
    const int tap = residue - corner;
    return tap < 0 ? tap + modulus : tap;
  }

  // kChunks: adds point i to the cells that the lane owns.
  FASTSPEC_FORCE_INLINE void add(const Shared& m, const Lane& l, int i, T* cells) const {
    const Corner c = m.corners[i];
    const T* taps = m.taps + i * s.tap_stride;
    int cell = c.cell;
    T weight = 1;
    FASTSPEC_UNROLLED
    for (int d = 1; d < D; ++d) {
      const int tap = tap_of(l.residue[d], c.along[d], a.width);
      cell += tap * s.region.stride[d];
      weight *= taps[d * a.width + tap];
    }
    T value[Parts];
    FASTSPEC_UNROLLED
    for (int q = 0; q < Parts; ++q) value[q] = weight * m.strengths[i * Parts + q];
    for (int tap = tap_of(l.residue[0], c.along[0], s.slices); tap < a.width; tap += s.slices) {
      T* at = cells + (cell + tap * s.region.stride[0]) * Parts;
      FASTSPEC_UNROLLED
      for (int q = 0; q < Parts; ++q) at[q] += taps[tap] * value[q];
    }
  }

  // kTiles: the same where the cells are in the tile.
  FASTSPEC_FORCE_INLINE void add_inside(const Shared& m, const Lane& l, int i, T* cells) const {
    const Corner c = m.corners[i];
    const T* taps = m.taps + i * s.tap_stride;
    int cell = 0;
    T weight = 1;
    FASTSPEC_UNROLLED
    for (int d = 1; d < D; ++d) {
      const int tap = remainder_of(l.residue[d] - c.along[d], a.width), at = c.along[d] + tap;
      if (at < 0 || at >= s.region.extent[d]) return;
      cell += at * s.region.stride[d];
      weight *= taps[d * a.width + tap];
    }
    for (int tap = remainder_of(l.residue[0] - c.along[0], s.slices); tap < a.width; tap += s.slices) {
      const int at = c.along[0] + tap;
      if (at < 0 || at >= s.region.extent[0]) continue;
      T* to = cells + (cell + at * s.region.stride[0]) * Parts;
      FASTSPEC_UNROLLED
      for (int q = 0; q < Parts; ++q) to[q] += taps[tap] * weight * m.strengths[i * Parts + q];
    }
  }

  // kPoints: lanes are taps.
  FASTSPEC_FORCE_INLINE void add_to_grid(const Shared& m, const Lane& l, int i, T* grid) const {
    const Corner c = m.corners[i];
    const T* taps = m.taps + i * s.tap_stride;
    int64_t cell = 0, pitch = 1;
    T weight = 1;
    FASTSPEC_UNROLLED
    for (int d = D - 1; d > 0; --d) {
      const int tap = l.residue[d];
      cell += wrapped(c.along[d] + tap, a.grid.cells[d]) * pitch;
      pitch *= a.grid.cells[d];
      weight *= taps[d * a.width + tap];
    }
    for (int tap = l.residue[0]; tap < a.width; tap += s.slices) {
      T value[Parts];
      FASTSPEC_UNROLLED
      for (int q = 0; q < Parts; ++q) value[q] = taps[tap] * weight * m.strengths[i * Parts + q];
      add_number<Parts>(grid + (cell + wrapped(c.along[0] + tap, a.grid.cells[0]) * pitch) * Parts, value);
    }
  }

  FASTSPEC_FORCE_INLINE void add_batch(const Shared& m, int n, T* grid, int thread) const {
    const Lane l = m.lanes[thread];
    if (l.group >= s.copies) return;
    T* cells = m.cells + l.group * s.region.cells * Parts;
    for (int i = l.group; i < n; i += s.copies) {
      if constexpr (By == SpreadBy::kChunks) add(m, l, i, cells);
      if constexpr (By == SpreadBy::kTiles) add_inside(m, l, i, cells);
      if constexpr (By == SpreadBy::kPoints) add_to_grid(m, l, i, grid);
    }
  }

  template <class Block>
  FASTSPEC_FORCE_INLINE void points(Block& block, const Shared& m, int transform, int64_t first, int64_t last,
                                    const int* shift, T* grid) const {
    for (; first < last; first += s.batch) {
      const int n = int(last - first < s.batch ? last - first : s.batch);
      block.each([&](int thread) { prepare(m, transform, first, n, shift, thread); });
      block.each([&](int thread) { add_batch(m, n, grid, thread); });
    }
  }

  // --- a region ---

  FASTSPEC_FORCE_INLINE void clear(const Shared& m, int thread) const {
    for (int i = thread; i < s.copies * s.region.cells * Parts; i += s.threads) m.cells[i] = 0;
  }

  // Sums the copies, and puts or adds them to the grid.
  FASTSPEC_FORCE_INLINE void flush(const Shared& m, const Box& box, T* grid, int thread) const {
    int extent[D];
    FASTSPEC_UNROLLED
    for (int d = 0; d < D; ++d) extent[d] = box.extent[d] + (By == SpreadBy::kChunks ? a.width - 1 : 0);
    for_each_cell<D>(a.grid, s.region, box.corner, extent, thread, s.threads, [&](int from, int64_t to) {
      T sum[Parts] = {};
      bool any = false;
      for (int copy = 0; copy < s.copies; ++copy) FASTSPEC_UNROLLED
      for (int q = 0; q < Parts; ++q) sum[q] += m.cells[(copy * s.region.cells + from) * Parts + q];
      FASTSPEC_UNROLLED
      for (int q = 0; q < Parts; ++q) any = any || sum[q] != 0;
      if constexpr (By == SpreadBy::kChunks) {
        if (any) add_number<Parts>(grid + to * Parts, sum);
      } else {
        FASTSPEC_UNROLLED
        for (int q = 0; q < Parts; ++q) grid[to * Parts + q] = sum[q];
      }
    });
  }

  // --- a block ---

  template <class Block>
  FASTSPEC_FORCE_INLINE void start(Block& block, const Shared& m) const {
    block.each([&](int thread) {
      m.lanes[thread] = lane_of(thread);
      load_table(a.polynomials, a.width, m.table, thread, s.threads);
    });
  }

  template <class Block>
  FASTSPEC_FORCE_INLINE void chunk(Block& block, const Shared& m, int index) const {
    const int transform = index / s.chunks.per_set;
    const Places places = places_of_chunk(a.grid, a.points, transform / int(a.channels), s.chunks, index);
    if (places.first >= places.last) return;
    T* grid = a.out + int64_t(transform) * a.grid.total() * Parts;
    const int none[D] = {};
    start(block, m);
    if constexpr (By == SpreadBy::kPoints) return points(block, m, transform, places.first, places.last, none, grid);
    for_each_tile(places, int(a.grid.tile_count()), [&](int tile, int64_t first, int64_t last) {
      const Box box = tile_box<D>(a.grid, tile);
      block.each([&](int thread) { clear(m, thread); });
      points(block, m, transform, first, last, none, grid);
      block.each([&](int thread) { flush(m, box, grid, thread); });
    });
  }

  template <class Block>
  FASTSPEC_FORCE_INLINE void tile(Block& block, const Shared& m, int index) const {
    const int tiles = int(a.grid.tile_count()), transform = index / tiles, tile = index % tiles;
    const int32_t* starts = a.points.starts + transform / int(a.channels) * int64_t(tiles + 1);
    const Box box = tile_box<D>(a.grid, tile);
    T* grid = a.out + int64_t(transform) * a.grid.total() * Parts;
    start(block, m);
    block.each([&](int thread) { clear(m, thread); });
    int images[kMaxDim] = {1, 1, 1}, at[kMaxDim] = {}, rest = tile;
    FASTSPEC_UNROLLED
    for (int d = D - 1; d >= 0; --d) {
      at[d] = rest % int(a.grid.tiles[d]);
      rest /= int(a.grid.tiles[d]);
      images[d] = images_reaching(a.grid, d, at[d], a.width);
    }
    for (int k = 0; k < images[0] * images[1] * images[2]; ++k) {
      const int along[kMaxDim] = {k / (images[1] * images[2]), k / images[2] % images[1], k % images[2]};
      int source = 0;
      int shift[D];
      FASTSPEC_UNROLLED
      for (int d = 0; d < D; ++d) {
        const Image image = image_before(a.grid, d, at[d], along[d]);
        source = source * int(a.grid.tiles[d]) + image.index;
        shift[d] = int(image.shift);
      }
      const int64_t first = starts[source] > 0 ? starts[source] : 0, last = starts[source + 1];
      points(block, m, transform, first, last < a.points.count ? last : a.points.count, shift, grid);
    }
    block.each([&](int thread) { flush(m, box, grid, thread); });
  }

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    const Shared m = shared(block.shared);
    if constexpr (By == SpreadBy::kTiles)
      tile(block, m, index);
    else
      chunk(block, m, index);
  }
};

}  // namespace fastspec::cuda
