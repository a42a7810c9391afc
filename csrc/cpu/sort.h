// Folds points into the period, finds the first cell of each one's window, and sorts them by tile, or by cell where
// sorted_by_cell says so (counting sort).
// Coordinates are scaled in double whatever T is: in float a grid of n cells would cost n * 6e-8 of accuracy.
#pragma once
#include "../grid.h"
#include "parallel.h"
#include "simd.h"

namespace fastspec {

template <class T>
struct SortArgs {
  Grid grid;
  int width;
  double inverse_period[kMaxDim];
  const void* x;  // (sets, count, dim), float32 or float64
  bool x_single;
  int64_t sets;
  int64_t count;
  typename Fixed<T>::type* position;  // (sets, count, dim)
  int32_t* order;                     // (sets, count)
  int32_t* starts;                    // (sets, tile_count + 1)
  bool* finite;                       // (sets): false where a coordinate is not finite; that set is not sorted
};

namespace FASTSPEC_LEVEL {

template <class T, int D, class X>
struct Sort {
  using F = Fixed<T>;
  using P = typename F::type;

  struct Place {
    int32_t bucket;  // tile or cell; -1 where a coordinate is not finite
    P position[D];
  };

  static FASTSPEC_INLINE Place place(const SortArgs<T>& a, const double* inverse_tile, bool by_cell, const X* x) {
    Place out;
    int64_t bucket = 0;
    for (int d = 0; d < D; ++d) {
      double t = double(x[d]) * a.inverse_period[d];
      t -= __builtin_floor(t);
      if (!(t >= 0 && t <= 1)) {
        out.bucket = -1;
        return out;
      }
      const double left = t * double(a.grid.cells[d]) - 0.5 * a.width, up = __builtin_ceil(left);
      int64_t first = int64_t(up);
      while (first < 0) first += a.grid.cells[d];
      const int64_t along = int64_t((double(first) + 0.5) * inverse_tile[d]);
      constexpr double unit = double(P(1) << F::fraction_bits);
      const double fraction = (up - left) * unit;
      const P largest = (P(1) << F::fraction_bits) - 1, low = fraction < unit - 1 ? P(fraction) : largest;
      out.position[d] = (P(first - along * a.grid.tile[d]) << F::fraction_bits) | low;
      bucket = by_cell ? first : bucket * a.grid.tiles[d] + along;
    }
    out.bucket = int32_t(bucket);
    return out;
  }

  // Blocks of points are counted apart and then placed behind one another, so the order within a tile is the user's
  // order however many blocks there are.
  static void set(const SortArgs<T>& a, int64_t set, int64_t blocks, int64_t buckets, int32_t* heads, Place* places) {
    const int64_t tiles = a.grid.tile_count();
    const bool by_cell = sorted_by_cell(a.grid, a.count);
    double inverse_tile[D];
    for (int d = 0; d < D; ++d) inverse_tile[d] = 1.0 / double(a.grid.tile[d]);
    const X* x = static_cast<const X*>(a.x) + set * a.count * D;
    const double cost = 20.0 * a.count;
    auto bound = [&](int64_t block) { return block * a.count / blocks; };

    parallel(blocks, cost, [&](int64_t block) {
      int32_t* head = heads + block * (buckets + 1);
      for (int64_t b = 0; b <= buckets; ++b) head[b] = 0;
      for (int64_t j = bound(block); j < bound(block + 1); ++j) {
        places[j] = place(a, inverse_tile, by_cell, x + j * D);
        ++head[places[j].bucket < 0 ? buckets : places[j].bucket];
      }
    });

    int64_t lost = 0;
    for (int64_t block = 0; block < blocks; ++block) lost += heads[block * (buckets + 1) + buckets];
    a.finite[set] = lost == 0;
    if (lost) return;

    int32_t* starts = a.starts + set * (tiles + 1);
    int32_t next = 0;
    const int64_t per_tile = by_cell ? a.grid.tile[0] : 1;
    for (int64_t b = 0; b < buckets; ++b) {
      if (b % per_tile == 0) starts[b / per_tile] = next;
      for (int64_t block = 0; block < blocks; ++block) {
        int32_t& head = heads[block * (buckets + 1) + b];
        const int32_t points = head;
        head = next;
        next += points;
      }
    }
    starts[tiles] = next;

    P* position = a.position + set * a.count * D;
    int32_t* order = a.order + set * a.count;
    parallel(blocks, cost, [&](int64_t block) {
      int32_t* head = heads + block * (buckets + 1);
      for (int64_t j = bound(block); j < bound(block + 1); ++j) {
        const int64_t to = head[places[j].bucket]++;
        order[to] = int32_t(j);
        for (int d = 0; d < D; ++d) position[to * D + d] = places[j].position[d];
      }
    });
  }

  static void run(const SortArgs<T>& a) {
    const int64_t buckets = sorted_by_cell(a.grid, a.count) ? a.grid.cells[0] : a.grid.tile_count();
    const int64_t blocks = a.sets == 1 && a.count > 20000 ? thread_count() : 1;
    const size_t heads = size_t(blocks) * (buckets + 1) * sizeof(int32_t), padded = (heads + 63) / 64 * 64;
    parallel(a.sets, 20.0 * a.sets * a.count, [&](int64_t s) {
      // not scratch(): as large as the points, so it must not outlive the call
      char* memory = static_cast<char*>(__builtin_malloc(padded + size_t(a.count) * sizeof(Place)));
      set(a, s, blocks, buckets, reinterpret_cast<int32_t*>(memory), reinterpret_cast<Place*>(memory + padded));
      __builtin_free(memory);
    });
  }
};

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
