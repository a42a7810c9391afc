// Folds points into the period, finds the first cell of each one's window, and sorts them by tile, or by cell where
// sorted_by_cell says so (counting sort).
// Coordinates are scaled in double, and more, whatever T is: see plan/fold.h.
#pragma once
#include "../stages.h"
#include "memory.h"
#include "parallel.h"
#include "simd.h"

namespace fastspec {
namespace FASTSPEC_LEVEL {

template <class T, int D, class X>
struct Sort {
  using F = Fixed<T>;
  using P = typename F::type;
  static constexpr int64_t kChunk = 256;  // points

  struct Memory {
    int32_t* const numbers;

    explicit Memory(size_t bytes) : numbers(static_cast<int32_t*>(allocate(bytes))) {}
    ~Memory() { release(numbers); }
  };

  // Where points lie along one axis.
  struct Places {
    double first[kChunk];  // cell of the window
    double tile[kChunk];
    double fraction[kChunk];  // of a cell, from the point's left edge of the window to that cell
  };

  // False where a coordinate is not finite or too far to have a place. Plain loops, which vectorise. Never inlined:
  // whoever asks gets the same places, bit for bit.
  __attribute__((noinline)) static bool place(const SortArgs<T>& a, int axis, const X* x, int64_t n, Places& out) {
    const double cells = double(a.grid.cells[axis]), half = 0.5 * a.width, last = cells - 1;
    const double period = 1 / cells, tile = 1 / double(a.grid.tile[axis]);  // of a cell
    const Rate rate = a.cells_per_unit[axis];
    uint64_t bits = 0;
    for (int64_t i = 0; i < n; ++i) {
      const Scaled cell = scaled(x[i * D + axis], rate);
      const double near = __builtin_rint(cell.exact), left = (cell.exact - near) + (cell.rest - half);
      const double up = __builtin_ceil(left), first = near + up;
      out.fraction[i] = up - left;
      bits |= __builtin_bit_cast(uint64_t, out.fraction[i]) | __builtin_bit_cast(uint64_t, near * (2 / kFarthest));
      out.first[i] = first - cells * __builtin_rint(first * period + (0.5 * period - 0.5));
    }
    for (int64_t i = 0; i < n; ++i) {
      const double first = out.first[i] < last ? out.first[i] : last;
      out.first[i] = first > 0 ? first : 0;
      out.tile[i] = __builtin_rint(out.first[i] * tile + (0.5 * tile - 0.5));
    }
    return !(bits >> 62 & 1);  // set from 2 upwards, and in what is not a number
  }

  static bool buckets(const SortArgs<T>& a, bool by_cell, const X* x, int64_t n, int32_t* bucket) {
    Places at;
    bool finite = true;
    for (int64_t i = 0; i < n; ++i) bucket[i] = 0;
    for (int d = 0; d < D; ++d) {
      finite = place(a, d, x, n, at) && finite;
      const double* along = by_cell ? at.first : at.tile;
      const int32_t tiles = int32_t(a.grid.tiles[d]);
      for (int64_t i = 0; i < n; ++i) bucket[i] = bucket[i] * tiles + int32_t(along[i]);
    }
    return finite;
  }

  static void positions(const SortArgs<T>& a, const X* x, int64_t n, P (*position)[kChunk]) {
    constexpr double unit = double(P(1) << F::fraction_bits);
    Places at;
    for (int d = 0; d < D; ++d) {
      place(a, d, x, n, at);
      const double tile = double(a.grid.tile[d]);
      for (int64_t i = 0; i < n; ++i) {
        const double fraction = at.fraction[i] * unit, low = fraction < unit - 1 ? fraction : unit - 1;
        const auto cell = typename F::integer(at.first[i] - at.tile[i] * tile);
        position[d][i] = P(cell) << F::fraction_bits | P(typename F::integer(low));
      }
    }
  }

  // Blocks of points are counted apart and then placed behind one another, so the order within a bucket is the user's
  // order however many blocks there are.
  static void set(const SortArgs<T>& a, int64_t set, int64_t blocks, int64_t bucket_count, int32_t* heads,
                  int32_t* bucket) {
    const int64_t tiles = a.grid.tile_count();
    const bool by_cell = sorted_by_cell(a.grid, a.count);
    const X* x = static_cast<const X*>(a.x) + set * a.count * D;
    const double cost = 20.0 * a.count;
    // body(first point, count) over the chunks of a block
    auto chunks = [&](int64_t block, auto&& body) {
      const int64_t end = (block + 1) * a.count / blocks;
      for (int64_t j = block * a.count / blocks; j < end; j += kChunk) body(j, end - j < kChunk ? end - j : kChunk);
    };

    parallel(blocks, cost, [&](int64_t block) {
      int32_t* head = heads + block * (bucket_count + 1);
      for (int64_t b = 0; b <= bucket_count; ++b) head[b] = 0;
      chunks(block, [&](int64_t j, int64_t n) {
        if (!buckets(a, by_cell, x + j * D, n, bucket + j))
          head[bucket_count] = 1;
        else
          for (int64_t i = 0; i < n; ++i) ++head[bucket[j + i]];
      });
    });

    bool lost = false;
    for (int64_t block = 0; block < blocks; ++block) lost |= heads[block * (bucket_count + 1) + bucket_count] != 0;
    a.finite[set] = !lost;
    if (lost) return;

    int32_t* starts = a.starts + set * (tiles + 1);
    int32_t next = 0;
    const int64_t per_tile = by_cell ? a.grid.tile[0] : 1;
    for (int64_t b = 0; b < bucket_count; ++b) {
      if (b % per_tile == 0) starts[b / per_tile] = next;
      for (int64_t block = 0; block < blocks; ++block) {
        int32_t& head = heads[block * (bucket_count + 1) + b];
        const int32_t points = head;
        head = next;
        next += points;
      }
    }
    starts[tiles] = next;

    P* position = a.position + set * a.count * D;
    int32_t* order = a.order + set * a.count;
    parallel(blocks, cost, [&](int64_t block) {
      int32_t* head = heads + block * (bucket_count + 1);
      P here[D][kChunk];
      chunks(block, [&](int64_t j, int64_t n) {
        positions(a, x + j * D, n, here);
        for (int64_t i = 0; i < n; ++i) {
          const int64_t to = head[bucket[j + i]]++;
          order[to] = int32_t(j + i);
          for (int d = 0; d < D; ++d) position[to * D + d] = here[d][i];
        }
      });
    });
  }

  static void run(const SortArgs<T>& a) {
    const int64_t buckets = sorted_by_cell(a.grid, a.count) ? a.grid.cells[0] : a.grid.tile_count();
    const int64_t blocks = a.sets == 1 && a.count > 20000 ? thread_count() : 1;
    const size_t heads = size_t(blocks) * (buckets + 1);
    parallel(a.sets, 20.0 * a.sets * a.count, [&](int64_t s) {
      const Memory memory((heads + size_t(a.count)) * sizeof(int32_t));
      set(a, s, blocks, buckets, memory.numbers, memory.numbers + heads);
    });
  }
};

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
