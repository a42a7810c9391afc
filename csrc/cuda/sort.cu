// Folds points into the period, finds the first cell of each one's window, and sorts them by tile, or by cell where
// sorted_by_cell says so: the same order, bit for bit, as the CPU's. A radix sort, so stable, whatever the points.
#ifdef __CUDACC__
#include <cub/device/device_radix_sort.cuh>
#else
#include <numeric>
#endif

#include "geometry.h"
#include "launch.h"
#include "stages.h"

namespace fastspec::cuda {
namespace {

constexpr int kThreads = 256;

// Where a point lies along one axis.
struct Place {
  int64_t first;  // cell of the window
  int64_t tile;
  double fraction;  // of a cell, from the point's left edge of the window to that cell
  bool finite;
};

template <class T>
FASTSPEC_FORCE_INLINE Place place(const SortArgs<T>& a, int axis, int64_t point) {
  const int64_t at = point * a.grid.dim + axis;
  const double cells = double(a.grid.cells[axis]), period = 1 / cells,
               tile = 1 / double(a.grid.tile[axis]);  // of a cell
  const Rate rate = a.cells_per_unit[axis];
  const Scaled cell =
      a.x_single ? scaled(static_cast<const float*>(a.x)[at], rate) : scaled(static_cast<const double*>(a.x)[at], rate);
  const double near = rint(cell.exact), left = (cell.exact - near) + (cell.rest - product(0.5, a.width));
  const double up = ceil(left), whole = near + up;
  if (!(up - left < 2 && fabs(near) < kFarthest)) return {0, 0, 0, false};
  double first = whole - product(cells, rint(product(whole, period) + (product(0.5, period) - 0.5)));
  first = first < cells - 1 ? first : cells - 1;
  first = first > 0 ? first : 0;
  return {int64_t(first), int64_t(rint(product(first, tile) + (product(0.5, tile) - 0.5))), up - left, true};
}

template <class T>
struct Keys {
  static constexpr int kMostThreads = kThreads, kLeastBlocks = 1;
  SortArgs<T> a;
  bool by_cell;
  int64_t keys;  // of a set, the last one for points that are not finite

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    block.each([&](int thread) {
      const int64_t i = int64_t(index) * kThreads + thread;
      if (i >= a.sets * a.count) return;
      int64_t key = 0;
      bool finite = true;
      for (int d = 0; d < a.grid.dim; ++d) {
        const Place p = place(a, d, i);
        key = key * a.grid.tiles[d] + (by_cell ? p.first : p.tile);
        finite = finite && p.finite;
      }
      a.space.keys[i] = uint32_t(i / a.count * keys + (finite ? key : keys - 1));
      a.space.indices[i] = int32_t(i % a.count);
    });
  }
};

template <class T>
struct Starts {
  static constexpr int kMostThreads = kThreads, kLeastBlocks = 1;
  SortArgs<T> a;
  int64_t per_tile;  // keys
  int64_t keys;

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    block.each([&](int thread) {
      const int64_t i = int64_t(index) * kThreads + thread, tiles = a.grid.tile_count();
      if (i >= a.sets * (tiles + 1)) return;
      const int64_t set = i / (tiles + 1), tile = i % (tiles + 1);
      const int64_t key = set * keys + (tile < tiles ? tile * per_tile : keys - 1);
      a.starts[i] = int32_t(lower_bound(a.space.sorted_keys + set * a.count, a.count, uint32_t(key)));
    });
  }
};

template <class T>
struct Positions {
  using F = Fixed<T>;
  static constexpr int kMostThreads = kThreads, kLeastBlocks = 1;
  SortArgs<T> a;

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    constexpr double unit = double(typename F::type(1) << F::fraction_bits);
    block.each([&](int thread) {
      const int64_t i = int64_t(index) * kThreads + thread;
      if (i >= a.sets * a.count) return;
      const int64_t point = i / a.count * a.count + a.order[i];
      for (int d = 0; d < a.grid.dim; ++d) {
        const Place p = place(a, d, point);
        const double fraction = product(p.fraction, unit), low = fraction < unit - 1 ? fraction : unit - 1;
        const auto cell = typename F::type(p.first - p.tile * a.grid.tile[d]);
        a.position[i * a.grid.dim + d] = cell << F::fraction_bits | typename F::type(low);
      }
    });
  }
};

int bits_below(int64_t keys) {
  int bits = 1;
  while (keys > int64_t(1) << bits) ++bits;
  return bits;
}

// Keys and with them indices, to sorted keys and order; or, with no space, the bytes that this takes.
#ifdef __CUDACC__
size_t sort_pairs(SortSpace s, int32_t* order, int64_t count, int bits, void* stream) {
  check(cub::DeviceRadixSort::SortPairs(s.sorting, s.sorting_bytes, s.keys, s.sorted_keys, s.indices, order, count, 0,
                                        bits, static_cast<cudaStream_t>(stream)));
  return s.sorting_bytes;
}
#else
size_t sort_pairs(SortSpace s, int32_t* order, int64_t count, int, void*) {
  if (!s.sorting) return 1;
  std::vector<int64_t> places(count);
  std::iota(places.begin(), places.end(), 0);
  std::stable_sort(places.begin(), places.end(), [&](int64_t i, int64_t j) { return s.keys[i] < s.keys[j]; });
  for (int64_t i = 0; i < count; ++i) {
    s.sorted_keys[i] = s.keys[places[i]];
    order[i] = s.indices[places[i]];
  }
  return 1;
}
#endif

}  // namespace

int64_t sort_keys(const Grid& grid, int64_t count) {
  return (sorted_by_cell(grid, count) ? grid.cells[0] : grid.tile_count()) + 1;
}

size_t sort_workspace(int64_t count, int64_t keys) {
  return sort_pairs(SortSpace{}, nullptr, count, bits_below(keys), nullptr);
}

template <class T>
void sort(const SortArgs<T>& a, void* stream) {
  const bool by_cell = sorted_by_cell(a.grid, a.count);
  const int64_t all = a.sets * a.count, keys = sort_keys(a.grid, a.count);
  launch(Keys<T>{a, by_cell, keys}, {ceil_div(all, kThreads), kThreads, 0}, stream);
  if (all > 0) sort_pairs(a.space, a.order, all, bits_below(a.sets * keys), stream);
  launch(Starts<T>{a, by_cell ? a.grid.tile[0] : 1, keys},
         {ceil_div(a.sets * (a.grid.tile_count() + 1), kThreads), kThreads, 0}, stream);
  launch(Positions<T>{a}, {ceil_div(all, kThreads), kThreads, 0}, stream);
}

template void sort(const SortArgs<float>&, void*);
template void sort(const SortArgs<double>&, void*);

}  // namespace fastspec::cuda
