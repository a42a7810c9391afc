// Folds points into the period, finds the first cell of each one's window, and sorts them by tile, or by cell where
// sorted_by_cell says so: the same order, bit for bit, as the CPU's. Radix sorts, so stable, whatever the points: of
// small sets a block's own, in one launch, of others that of a library.
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

// Points to keys and positions. Quotients are the host's.
template <class T>
struct Folding {
  using F = Fixed<T>;
  using P = typename F::type;
  SortArgs<T> a;
  bool by_cell;
  int64_t keys;                           // of a set, the last one for points that are not finite
  double period[kMaxDim], tile[kMaxDim];  // of a cell
  P* unsorted;                            // positions in the order of the points

  explicit Folding(const SortArgs<T>& args)
      : a(args), by_cell(sorted_by_cell(a.grid, a.count)), keys(sort_keys(a.grid, a.count)), period(), tile() {
    for (int d = 0; d < a.grid.dim; ++d) {
      period[d] = 1 / double(a.grid.cells[d]);
      tile[d] = 1 / double(a.grid.tile[d]);
    }
    unsorted = static_cast<P*>(a.space);
  }

  FASTSPEC_FORCE_INLINE Place place(int axis, int64_t point) const {
    const int64_t at = point * a.grid.dim + axis;
    const double cells = double(a.grid.cells[axis]);
    const Rate rate = a.cells_per_unit[axis];
    const Scaled cell = a.x_single ? scaled(static_cast<const float*>(a.x)[at], rate)
                                   : scaled(static_cast<const double*>(a.x)[at], rate);
    const double near = rint(cell.exact), left = (cell.exact - near) + (cell.rest - product(0.5, a.width));
    const double up = ceil(left), whole = near + up;
    if (!(up - left < 2 && fabs(near) < kFarthest)) return {0, 0, 0, false};
    double first = whole - product(cells, rint(product(whole, period[axis]) + (product(0.5, period[axis]) - 0.5)));
    first = first < cells - 1 ? first : cells - 1;
    first = first > 0 ? first : 0;
    return {int64_t(first), int64_t(rint(product(first, tile[axis]) + (product(0.5, tile[axis]) - 0.5))), up - left,
            true};
  }

  FASTSPEC_FORCE_INLINE P position(const Place& p, int axis) const {
    constexpr double unit = double(P(1) << F::fraction_bits);
    const double fraction = product(p.fraction, unit), low = fraction < unit - 1 ? fraction : unit - 1;
    return P(p.first - p.tile * a.grid.tile[axis]) << F::fraction_bits | P(low);
  }

  // Point `i` of all sets: its position to `unsorted`, and its key within its set.
  FASTSPEC_FORCE_INLINE uint32_t fold(int64_t i) const {
    int64_t key = 0;
    bool finite = true;
    for (int d = 0; d < a.grid.dim; ++d) {
      const Place p = place(d, i);
      key = key * a.grid.tiles[d] + (by_cell ? p.first : p.tile);
      finite = finite && p.finite;
      unsorted[i * a.grid.dim + d] = position(p, d);
    }
    return uint32_t(finite ? key : keys - 1);
  }

  // A set's sorted place `i` is its point `index`.
  FASTSPEC_FORCE_INLINE void put(int64_t set, int64_t i, int32_t index) const {
    const int64_t to = set * a.count + i, from = set * a.count + index;
    for (int d = 0; d < a.grid.dim; ++d) a.position[to * a.grid.dim + d] = unsorted[from * a.grid.dim + d];
  }

  // Where a tile's points start, or those in no tile, among a set's sorted keys, which are from `least` on.
  template <class Key>
  FASTSPEC_FORCE_INLINE void start(int64_t set, int64_t at, const Key* sorted_keys, int64_t least) const {
    const int64_t tiles = a.grid.tile_count();
    const int64_t key = at < tiles ? at * (by_cell ? a.grid.tile[0] : 1) : keys - 1;
    a.starts[set * (tiles + 1) + at] = int32_t(lower_bound(sorted_keys, a.count, Key(least + key)));
  }
};

// --- of small sets: a block to a set ---

constexpr int64_t kMostSmall = 4096, kMostSmallKeys = 1 << 14;
constexpr int kDigitBits = 4, kDigits = 1 << kDigitBits, kCounts = kDigits * kThreads;

// Points are sorted by a digit of their keys at a time. A thread has a run of them: it counts its digits, and where the
// first with a digit goes is the sum of all counts of lower digits, and of this digit in the runs before.
template <class T>
struct SortSet {
  static constexpr int kMostThreads = kThreads, kLeastBlocks = 1;
  Folding<T> f;
  int bits;
  int run_length;  // odd, and counts are padded: threads one apart are on different banks

  struct Shared {
    uint32_t *counts, *sums;
    uint16_t *keys, *indices;  // before a digit's pass and after it: two of each, one after the other
  };

  FASTSPEC_FORCE_INLINE static int padded(int i) { return i + i / kDigits; }

  static size_t shared_bytes(int64_t count) {
    return size_t(padded(kCounts) + 2 * kThreads) * sizeof(uint32_t) + size_t(count) * 4 * sizeof(uint16_t);
  }

  FASTSPEC_FORCE_INLINE Shared shared(char* memory) const {
    uint32_t* counts = reinterpret_cast<uint32_t*>(memory);
    uint32_t* sums = counts + padded(kCounts);
    uint16_t* keys = reinterpret_cast<uint16_t*>(sums + 2 * kThreads);
    return {counts, sums, keys, keys + 2 * f.a.count};
  }

  // Calls body(place, counter of its digit) for a thread's run.
  template <class Body>
  FASTSPEC_FORCE_INLINE void each_of_run(const Shared& m, const uint16_t* keys, int shift, int thread,
                                         Body&& body) const {
    const int first = thread * run_length, end = first + run_length;
    for (int i = first; i < end && i < f.a.count; ++i)
      body(i, m.counts[padded(int(keys[i] >> shift) % kDigits * kThreads + thread)]);
  }

  // The counts, digit by digit and thread by thread, become the sums of those before.
  template <class Block>
  FASTSPEC_FORCE_INLINE void add_up(Block& block, const Shared& m) const {
    block.each([&](int thread) {
      uint32_t sum = 0;
      for (int i = 0; i < kDigits; ++i) sum += m.counts[padded(thread * kDigits + i)];
      m.sums[thread] = sum;
    });
    int from = 0;
    for (int far = 1; far < kThreads; far *= 2, from = kThreads - from)
      block.each([&](int thread) {
        const uint32_t before = thread < far ? 0 : m.sums[from + thread - far];
        m.sums[kThreads - from + thread] = m.sums[from + thread] + before;
      });
    block.each([&](int thread) {
      uint32_t sum = thread > 0 ? m.sums[from + thread - 1] : 0;
      for (int i = 0; i < kDigits; ++i) {
        uint32_t& count = m.counts[padded(thread * kDigits + i)];
        const uint32_t before = sum;
        sum += count;
        count = before;
      }
    });
  }

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int set) const {
    const Shared m = shared(block.shared);
    const int count = int(f.a.count), tiles = int(f.a.grid.tile_count());
    const int64_t begin = int64_t(set) * count;
    block.each([&](int thread) {
      for (int i = thread; i < count; i += kThreads) {
        m.keys[i] = uint16_t(f.fold(begin + i));
        m.indices[i] = uint16_t(i);
      }
    });
    int from = 0;
    for (int shift = 0; shift < bits; shift += kDigitBits, from = count - from) {
      const uint16_t *keys = m.keys + from, *indices = m.indices + from;
      block.each([&](int thread) {
        for (int digit = 0; digit < kDigits; ++digit) m.counts[padded(digit * kThreads + thread)] = 0;
        each_of_run(m, keys, shift, thread, [](int, uint32_t& counter) { ++counter; });
      });
      add_up(block, m);
      block.each([&](int thread) {
        each_of_run(m, keys, shift, thread, [&](int i, uint32_t& counter) {
          const uint32_t to = count - from + counter++;
          m.keys[to] = keys[i];
          m.indices[to] = indices[i];
        });
      });
    }
    block.each([&](int thread) {
      for (int i = thread; i < count; i += kThreads) {
        f.a.order[begin + i] = m.indices[from + i];
        f.put(set, i, m.indices[from + i]);
      }
      for (int tile = thread; tile <= tiles; tile += kThreads) f.start(set, tile, m.keys + from, 0);
    });
  }
};

// --- of any sets, all at once ---

// Keys of 16 bits where there are no more: that many bytes fewer in each pass.
template <class Key>
struct Pairs {
  int32_t* indices;
  Key *keys, *sorted_keys;
};

template <class T, class Key>
struct Keys {
  static constexpr int kMostThreads = kThreads, kLeastBlocks = 1;
  Folding<T> f;
  Pairs<Key> to;
  int blocks_per_set;

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    const int64_t set = index / blocks_per_set, first = int64_t(index % blocks_per_set) * kThreads;
    block.each([&](int thread) {
      const int64_t point = first + thread, i = set * f.a.count + point;
      if (point >= f.a.count) return;
      to.keys[i] = Key(uint32_t(set * f.keys) + f.fold(i));
      to.indices[i] = int32_t(point);
    });
  }
};

template <class T, class Key>
struct Gather {
  static constexpr int kMostThreads = kThreads, kLeastBlocks = 1;
  Folding<T> f;
  const Key* sorted_keys;
  int blocks_per_set;

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    const int64_t set = index / blocks_per_set, first = int64_t(index % blocks_per_set) * kThreads;
    block.each([&](int thread) {
      const int64_t i = first + thread;
      if (i < f.a.count) f.put(set, i, f.a.order[set * f.a.count + i]);
      if (i <= f.a.grid.tile_count()) f.start(set, i, sorted_keys + set * f.a.count, set * f.keys);
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
template <class Key>
size_t sort_pairs(const Pairs<Key>& p, int32_t* order, int64_t count, int bits, void* space, size_t bytes,
                  void* stream) {
  check(cub::DeviceRadixSort::SortPairs(space, bytes, p.keys, p.sorted_keys, p.indices, order, count, 0, bits,
                                        static_cast<cudaStream_t>(stream)));
  return bytes;
}
#else
template <class Key>
size_t sort_pairs(const Pairs<Key>& p, int32_t* order, int64_t count, int, void* space, size_t, void*) {
  if (!space) return 1;
  std::vector<int64_t> places(count);
  std::iota(places.begin(), places.end(), 0);
  std::stable_sort(places.begin(), places.end(), [&](int64_t i, int64_t j) { return p.keys[i] < p.keys[j]; });
  for (int64_t i = 0; i < count; ++i) {
    p.sorted_keys[i] = p.keys[places[i]];
    order[i] = p.indices[places[i]];
  }
  return 1;
}
#endif

bool is_small(const Grid& grid, int64_t count) {
  return count <= kMostSmall && sort_keys(grid, count) <= kMostSmallKeys;
}

bool has_short_keys(const Grid& grid, int64_t sets, int64_t count) { return sets * sort_keys(grid, count) <= 1 << 16; }

// The space of a sort: positions, then pairs, then what the library asks for.
template <class Key>
struct Layout {
  size_t pairs_at, radix_at, radix_bytes;

  Layout(const Grid& grid, int64_t sets, int64_t count, size_t position_bytes) {
    const auto aligned = [](size_t bytes) { return (bytes + 255) / 256 * 256; };
    const int64_t all = sets * count;
    pairs_at = aligned(size_t(all) * grid.dim * position_bytes);
    radix_at = pairs_at + aligned(size_t(all) * (sizeof(int32_t) + 2 * sizeof(Key)));
    const int bits = bits_below(sets * sort_keys(grid, count));
    radix_bytes = all > 0 ? sort_pairs(Pairs<Key>{}, nullptr, all, bits, nullptr, 0, nullptr) : 0;
  }
  size_t bytes() const { return radix_at + radix_bytes; }
};

template <class T, class Key>
void sort_all(const Folding<T>& f, void* stream) {
  const SortArgs<T>& a = f.a;
  const int64_t all = a.sets * a.count;
  const Layout<Key> l(a.grid, a.sets, a.count, sizeof(typename Fixed<T>::type));
  char* space = static_cast<char*>(a.space);
  int32_t* indices = reinterpret_cast<int32_t*>(space + l.pairs_at);
  Key* keys = reinterpret_cast<Key*>(indices + all);
  const Pairs<Key> pairs{indices, keys, keys + all};
  const int64_t for_points = ceil_div(a.count, kThreads), for_starts = ceil_div(a.grid.tile_count() + 1, kThreads);
  const int64_t for_both = for_points > for_starts ? for_points : for_starts;
  launch(Keys<T, Key>{f, pairs, int(for_points)}, {a.sets * for_points, kThreads, 0}, stream);
  const int bits = bits_below(a.sets * f.keys);
  if (all > 0) sort_pairs(pairs, a.order, all, bits, space + l.radix_at, l.radix_bytes, stream);
  launch(Gather<T, Key>{f, pairs.sorted_keys, int(for_both)}, {a.sets * for_both, kThreads, 0}, stream);
}

}  // namespace

int64_t sort_keys(const Grid& grid, int64_t count) {
  return (sorted_by_cell(grid, count) ? grid.cells[0] : grid.tile_count()) + 1;
}

size_t sort_workspace(const Grid& grid, int64_t sets, int64_t count, size_t position_bytes) {
  if (is_small(grid, count)) return size_t(sets * count) * grid.dim * position_bytes;
  if (has_short_keys(grid, sets, count)) return Layout<uint16_t>(grid, sets, count, position_bytes).bytes();
  return Layout<uint32_t>(grid, sets, count, position_bytes).bytes();
}

template <class T>
void sort(const SortArgs<T>& a, void* stream) {
  const Folding<T> f(a);
  if (is_small(a.grid, a.count)) {
    const SortSet<T> work{f, bits_below(f.keys), int(ceil_div(a.count, kThreads)) | 1};
    return launch(work, {a.sets, kThreads, work.shared_bytes(a.count)}, stream);
  }
  if (has_short_keys(a.grid, a.sets, a.count)) return sort_all<T, uint16_t>(f, stream);
  sort_all<T, uint32_t>(f, stream);
}

template void sort(const SortArgs<float>&, void*);
template void sort(const SortArgs<double>&, void*);

}  // namespace fastspec::cuda
