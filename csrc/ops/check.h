// Checks of what reaches the raw ops, written once. Users' mistakes are caught in Python with better words; these keep
// a wrong call of a raw op from touching memory that is not its own.
#pragma once
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/util/Exception.h>

#include "../plan/grid.h"
#include "../plan/widths.h"

namespace fastspec {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

inline void check_tensor(const Tensor& t, const char* name, int64_t rank) {
  STD_TORCH_CHECK(t.dim() == rank, name, ": rank ", t.dim(), ", must be ", rank);
  STD_TORCH_CHECK(t.is_contiguous(), name, ": must be contiguous");
}

inline void check_dtype(const Tensor& t, const char* name, ScalarType wanted) {
  STD_TORCH_CHECK(t.scalar_type() == wanted, name, ": wrong dtype");
}

inline void check_size(const Tensor& t, const char* name, int64_t axis, int64_t wanted) {
  STD_TORCH_CHECK(t.size(axis) == wanted, name, ": size ", t.size(axis), " at axis ", axis, ", must be ", wanted);
}

inline bool is_complex(const Tensor& t) {
  return t.scalar_type() == ScalarType::ComplexFloat || t.scalar_type() == ScalarType::ComplexDouble;
}

inline bool is_single(const Tensor& t) {
  return t.scalar_type() == ScalarType::Float || t.scalar_type() == ScalarType::ComplexFloat;
}

inline void check_floating(const Tensor& t, const char* name) {
  STD_TORCH_CHECK(is_single(t) || t.scalar_type() == ScalarType::Double || t.scalar_type() == ScalarType::ComplexDouble,
                  name, ": dtype must be float32, float64, complex64 or complex128");
}

// Sizes are at least 1, and their product far beyond any memory but well within an int64.
inline void check_total(const std::vector<int64_t>& sizes, const char* name) {
  constexpr int64_t most = int64_t(1) << 40;
  int64_t product = 1;
  for (int64_t n : sizes) {
    STD_TORCH_CHECK(n >= 1, name, ": was ", n, ", must be at least 1 along each axis");
    STD_TORCH_CHECK(n <= most / product, name, ": must be of at most 2^40 numbers");
    product *= n;
  }
}

// Kernels are compiled for these.
inline void check_width(int width, bool single) {
  bool known = false;
#define FASTSPEC_LISTED(W) known |= width == W;
  if (single) {
    FASTSPEC_SINGLE_WIDTHS(FASTSPEC_LISTED)
  } else {
    FASTSPEC_DOUBLE_WIDTHS(FASTSPEC_LISTED)
  }
#undef FASTSPEC_LISTED
  STD_TORCH_CHECK(known, "polynomials: of a width, ", width, ", that no kernel is made for");
}

inline Grid make_grid(const std::vector<int64_t>& cells, const std::vector<int64_t>& tile, int width) {
  STD_TORCH_CHECK(cells.size() >= 1 && cells.size() <= size_t(kMaxDim) && tile.size() == cells.size(),
                  "cells and tile: 1 to 3 axes, as many of one as of the other");
  STD_TORCH_CHECK(width >= 2 && width <= kMaxWidth, "width: must be 2 to 16");
  check_total(cells, "cells");
  Grid g{};
  g.dim = int(cells.size());
  for (int a = 0; a < g.dim; ++a) {
    STD_TORCH_CHECK(tile[a] >= 1 && tile[a] <= kMostTile[g.dim - 1][a],
                    "tile: at least 1, and no larger than kernels are made for");
    g.cells[a] = cells[a];
    g.tile[a] = tile[a] < cells[a] ? tile[a] : cells[a];
    g.tiles[a] = (cells[a] + g.tile[a] - 1) / g.tile[a];
  }
  // what lets alternate strips of tiles be spread at once: see cpu/spread.h
  const int64_t last = g.cells[0] - (g.tiles[0] - 1) * g.tile[0];
  STD_TORCH_CHECK(g.tiles[0] == 1 || (g.tiles[0] % 2 == 0 && last >= width && g.tile[0] >= width),
                  "tile: the first axis must hold one tile or an even number, each at least the window's width");
  return g;
}

}  // namespace fastspec
