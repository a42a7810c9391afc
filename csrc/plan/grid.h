// The fine grid, its tiles, and where a point lands on it: plain index arithmetic shared by every stage.
#pragma once
#include <cstdint>

#ifdef __CUDACC__
#define FASTSPEC_BOTH __host__ __device__  // for a function that kernels on a GPU call too
#else
#define FASTSPEC_BOTH
#endif
// For what every instruction set's kernels share: a copy of its own in each, that the linker does not merge.
#define FASTSPEC_INLINE inline __attribute__((always_inline))

namespace fastspec {

constexpr int kMaxDim = 3;

// Largest extents of a tile, by dimension and axis, in cells: a tile with its halo stays near the L1 cache, and a
// kernel knows the distance between its rows.
constexpr int64_t kMostTile[kMaxDim][kMaxDim] = {{256, 0, 0}, {256, 32, 0}, {256, 16, 16}};

// Axes run from slowest to fastest. Lengths are in cells, not bytes.
struct Grid {
  int dim;
  int64_t cells[kMaxDim];
  int64_t tile[kMaxDim];   // extent of a tile; the last tile of an axis may be shorter
  int64_t tiles[kMaxDim];  // tiles per axis

  FASTSPEC_BOTH int64_t total() const {
    int64_t product = 1;
    for (int a = 0; a < dim; ++a) product *= cells[a];
    return product;
  }
  FASTSPEC_BOTH int64_t tile_count() const {
    int64_t product = 1;
    for (int a = 0; a < dim; ++a) product *= tiles[a];
    return product;
  }
};

// In one dimension with many points to a cell, points are sorted by cell within their tile, and cpu/dense.h takes over.
FASTSPEC_BOTH inline bool sorted_by_cell(const Grid& g, int64_t count) { return g.dim == 1 && count >= 8 * g.cells[0]; }

// A point of a tile is one unsigned integer per axis: the first cell of its window, counted from the tile's corner,
// above the binary fraction of a cell by which that cell lies to the right of the window's left edge.
template <class T>
struct Fixed;
template <>
struct Fixed<float> {
  using type = uint32_t;
  using integer = int32_t;
  static constexpr int fraction_bits = 24;
};
template <>
struct Fixed<double> {
  using type = uint64_t;
  using integer = int64_t;
  static constexpr int fraction_bits = 52;
};

template <class T>
FASTSPEC_BOTH inline int64_t cell_of(typename Fixed<T>::type p) {
  return static_cast<int64_t>(p >> Fixed<T>::fraction_bits);
}

// The fraction mapped to [-1, 1), the variable of the window's polynomials.
template <class T>
FASTSPEC_BOTH inline T offset_of(typename Fixed<T>::type p) {
  using F = Fixed<T>;
  constexpr auto mask = (typename F::type(1) << F::fraction_bits) - 1;
  constexpr T scale = T(2) / T(typename F::type(1) << F::fraction_bits);
  // through a signed integer: the conversion from unsigned is several instructions on older processors
  return T(static_cast<typename F::integer>(p & mask)) * scale - T(1);
}

// The points of `sets` point sets, sorted by tile; see sort.h.
template <class T>
struct Points {
  const typename Fixed<T>::type* position;  // (sets, count, dim)
  const int32_t* order;                     // (sets, count): sorted place -> the user's index
  const int32_t* starts;                    // (sets, tile_count + 1)
  int64_t sets;
  int64_t count;
};

}  // namespace fastspec
