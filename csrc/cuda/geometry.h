// Where blocks find their points and cells: plain index arithmetic, run by the kernels and by the tests on a CPU.
//
// A region is the part of the grid that a block holds in shared memory, in cells counted from a tile's corner: a tile
// and the halo that its points' windows reach, or, where every block sums its own cells alone, just the tile.
#pragma once
#include <type_traits>

#include "block.h"

namespace fastspec::cuda {

struct Region {
  int extent[kMaxDim];  // most cells of any tile's region
  int stride[kMaxDim];
  int cells;  // in all, with padding
};

// A tile and its halo, `reach` cells beyond it on the right.
inline Region region_of(const Grid& g, int reach) {
  Region r{};
  r.cells = 1;
  for (int a = g.dim - 1; a >= 0; --a) {
    r.extent[a] = int(g.tile[a]) + reach;
    r.stride[a] = r.cells;
    r.cells *= r.extent[a];
    if (a > 0) r.cells |= 1;  // odd distances between rows: threads one row apart are on different banks
  }
  return r;
}

struct Box {
  int64_t corner[kMaxDim];
  int extent[kMaxDim];  // without the halo
};

template <int D>
FASTSPEC_FORCE_INLINE Box tile_box(const Grid& g, int tile) {
  Box b{};
  FASTSPEC_UNROLLED
  for (int a = D - 1; a >= 0; --a) {
    const int tiles = int(g.tiles[a]);
    b.corner[a] = tile % tiles * g.tile[a];
    tile /= tiles;
    const int64_t left = g.cells[a] - b.corner[a];
    b.extent[a] = int(left < g.tile[a] ? left : g.tile[a]);
  }
  return b;
}

// The tile of the sorted place j: the last one that starts at or before it.
FASTSPEC_BOTH inline int tile_of(const int32_t* starts, int tiles, int64_t j) {
  int low = 0, high = tiles;  // starts[low] <= j < starts[high]
  while (high - low > 1) {
    const int middle = low + (high - low) / 2;
    (starts[middle] <= j ? low : high) = middle;
  }
  return low;
}

// The numbers of a plan may have come from anywhere, and a kernel cannot refuse them: what is not within its tile or
// its set is read and written nowhere, and gives NaN.

FASTSPEC_FORCE_INLINE bool is_index(int64_t i, int64_t count) { return uint64_t(i) < uint64_t(count); }

// Whether a point's window begins within its tile.
template <class T, int D>
FASTSPEC_FORCE_INLINE bool is_within(const Grid& g, const typename Fixed<T>::type* position) {
  bool within = true;
  FASTSPEC_UNROLLED
  for (int d = 0; d < D; ++d) within = within && int(cell_of<T>(position[d])) < int(g.tile[d]);
  return within;
}

// The first of `count` ascending keys that is not below `key`.
template <class Key>
FASTSPEC_BOTH int64_t lower_bound(const Key* keys, int64_t count, Key key) {
  int64_t low = 0, high = count;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (keys[middle] < key)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// Tile `index` of an axis and those before it, periodically, numbered 0, 1, 2 ...: the k-th one, and where it begins
// relative to the first.
struct Image {
  int index;
  int64_t shift;  // cells, zero or negative
};

FASTSPEC_BOTH inline Image image_before(const Grid& g, int axis, int index, int k) {
  const int tiles = int(g.tiles[axis]), cycles = k <= index ? 0 : (k - index + tiles - 1) / tiles;
  const int at = index - k + cycles * tiles;
  return {at, (at - index) * g.tile[axis] - cycles * g.cells[axis]};
}

// How many of these images have points whose windows reach into tile `index`.
FASTSPEC_BOTH inline int images_reaching(const Grid& g, int axis, int index, int width) {
  int k = 1;
  // image k ends where image k - 1 begins; its last point's window covers width - 1 cells more
  while (image_before(g, axis, index, k - 1).shift + width - 1 > 0) ++k;
  return k;
}

FASTSPEC_FORCE_INLINE int64_t wrapped(int64_t cell, int64_t cells) {
  while (cell >= cells) cell -= cells;
  return cell;
}

FASTSPEC_FORCE_INLINE int remainder_of(int a, int n) {
  const int r = a % n;
  return r < 0 ? r + n : r;
}

// Calls body(cell of the region, cell of the grid) for a thread's share of the cells `extent` from `corner` on.
// Neighbouring threads take neighbours on the fastest axis, and each goes along the slowest one.
template <int D, class Body>
FASTSPEC_FORCE_INLINE void for_each_cell(const Grid& g, const Region& r, const int64_t* corner, const int* extent,
                                         int thread, int threads, Body&& body) {
  using Along = std::conditional_t<D == 1, int64_t, int>;  // only a line may have more cells than an int counts
  int columns = 1;
  FASTSPEC_UNROLLED
  for (int a = 1; a < D; ++a) columns *= extent[a];
  const int slabs = threads > columns ? threads / columns : 1;
  for (int item = thread; item < columns * slabs; item += threads) {
    int column = item % columns, local = 0;
    int64_t inner = 0, pitch = 1;
    FASTSPEC_UNROLLED
    for (int a = D - 1; a > 0; --a) {
      const int i = column % extent[a];
      column /= extent[a];
      local += i * r.stride[a];
      inner += wrapped(corner[a] + i, g.cells[a]) * pitch;
      pitch *= g.cells[a];
    }
    const int first = item / columns;
    const Along cells = Along(g.cells[0]);
    Along along = Along(wrapped(corner[0] + first, g.cells[0]));
    for (int i = first; i < extent[0]; i += slabs) {
      body(local + i * r.stride[0], inner + along * pitch);
      along += slabs;
      while (along >= cells) along -= cells;
    }
  }
}

// Points of one set in chunks of consecutive sorted places, so that blocks have equal work however the points lie.
struct Chunks {
  int size;
  int per_set;
};

inline Chunks chunks_of(int64_t count, int64_t transforms, int64_t processors, int64_t least, int64_t most) {
  const int64_t wanted_blocks = 8 * processors;  // fewer, larger chunks break fewer tiles in two
  int64_t size = least;
  while (size < most && transforms * (count / (2 * size)) >= wanted_blocks) size *= 2;
  return {int(size), int((count + size - 1) / size)};
}

// Consecutive sorted places of one set, and where its tiles start.
struct Places {
  const int32_t* starts;
  int64_t first, last;
};

// Those of chunk `index` that are in a tile.
template <class T>
FASTSPEC_FORCE_INLINE Places places_of_chunk(const Grid& g, const Points<T>& points, int set, const Chunks& chunks,
                                             int index) {
  const int64_t tiles = g.tile_count(), first = int64_t(index % chunks.per_set) * chunks.size;
  const int32_t* starts = points.starts + set * (tiles + 1);
  const int64_t sorted = starts[tiles] < points.count ? starts[tiles] : points.count;
  return {starts, first, first + chunks.size < sorted ? first + chunks.size : sorted};
}

// Calls body(tile, first, last) for the places of each tile.
template <class Body>
FASTSPEC_FORCE_INLINE void for_each_tile(const Places& p, int tiles, Body&& body) {
  if (p.first >= p.last) return;
  int tile = tile_of(p.starts, tiles, p.first);
  for (int64_t first = p.first; first < p.last;) {
    const int64_t end = p.starts[tile + 1], last = end > first && end < p.last ? end : p.last;
    body(tile, first, last);
    first = last;
    if (first < p.last && p.starts[++tile + 1] <= first) tile = tile_of(p.starts, tiles, first);
  }
}

// Whether a tile's points are so few that clearing and copying its region would cost more than the points themselves.
inline bool is_sparse(const Grid& g, const Region& halo, int64_t count, int width) {
  double window = 1;
  for (int a = 0; a < g.dim; ++a) window *= width;
  return double(count) * window < double(g.tile_count()) * halo.cells;
}

}  // namespace fastspec::cuda
