// What blocks ask for, for the table of the kernels' resources: plain functions for ctypes.
#include "../../csrc/cuda/hadamard.h"
#include "../../csrc/cuda/interpolate.h"
#include "../../csrc/cuda/spread.h"
#include "../../csrc/cuda/spread_planes.h"
#include "../../csrc/plan/plan.h"

namespace {

using namespace fastspec;

// The grid that the planner lays out for as many cells along each axis.
Grid grid_of(int dim, int width, int parts, int number_bytes) {
  constexpr int64_t cells[] = {1 << 18, 1 << 11, 1 << 8};
  const std::vector<int64_t> extent(dim, cells[dim - 1]);
  PlanRequest request{extent, 1, 1, number_bytes == 4, parts == 2, false, true};
  const std::vector<int64_t> tile = tile_extents(request, extent, width);
  Grid g{};
  g.dim = dim;
  for (int a = 0; a < dim; ++a) {
    g.cells[a] = extent[a];
    g.tile[a] = tile[a];
    g.tiles[a] = (extent[a] + tile[a] - 1) / tile[a];
  }
  return g;
}

}  // namespace

extern "C" void spread_resources(int dim, int width, int parts, int number_bytes, int by, int64_t* threads_and_shared) {
  const Grid g = grid_of(dim, width, parts, number_bytes);
  const cuda::SpreadShape s = cuda::spread_shape(g, width, parts, number_bytes, cuda::SpreadBy(by), {1024, 1});
  threads_and_shared[0] = s.threads;
  threads_and_shared[1] = int64_t(s.shared);
}

// Of a plan for numbers of `laid_out_for` parts.
extern "C" void planes_resources(int width, int parts, int number_bytes, int laid_out_for,
                                 int64_t* threads_and_shared) {
  const Grid g = grid_of(3, width, laid_out_for, number_bytes);
  const auto shape = [&](auto zero) {
    using T = decltype(zero);
    return parts == 1 ? cuda::planes_shape<T, 1>(g, width, {1024, 1}) : cuda::planes_shape<T, 2>(g, width, {1024, 1});
  };
  threads_and_shared[0] = cuda::threads_of_planes(width);
  threads_and_shared[1] = int64_t((number_bytes == 4 ? shape(float{}) : shape(double{})).shared);
}

// Cells from one row of a region to the next, where a row has `extent` cells of as many bytes each.
extern "C" int planes_row_stride(int width, int extent, int cell_bytes) {
  return cuda::row_stride(width, extent, cell_bytes);
}

extern "C" void interpolate_resources(int dim, int width, int parts, int number_bytes, int64_t* threads_and_shared) {
  const Grid g = grid_of(dim, width, parts, number_bytes);
  threads_and_shared[0] = cuda::interpolate_threads(dim, parts, true);
  threads_and_shared[1] = int64_t(cuda::interpolate_shape(g, width, parts, number_bytes, true, {1024, 1}).shared);
}

// Passes of a line of 2^bits numbers.
extern "C" int hadamard_passes(int bits, int number_bytes) {
  const int64_t n = int64_t(1) << bits;
  const auto count = [&](auto zero) {
    return int(cuda::plan_hadamard<decltype(zero)>(n, n, 1, {cuda::kEmulatedShared, 132}).size());
  };
  return number_bytes == 4 ? count(float{}) : count(double{});
}

// Of the longest line that is done in one tile, small or large.
extern "C" void hadamard_resources(int number_bytes, int large, int64_t* threads_and_shared) {
  const auto of = [&](auto zero) {
    using T = decltype(zero);
    using Sizes = cuda::HadamardSizes<T>;
    const int64_t n = int64_t(1) << (large ? Sizes::kMostTile : Sizes::kEasyTile);
    const auto pass = cuda::plan_hadamard<T>(n << 12, n, 1, {cuda::kEmulatedShared, 132}).front();
    threads_and_shared[0] = 1 << (pass.tile_bits - Sizes::kRun);
    threads_and_shared[1] = int64_t(cuda::hadamard_shared<T>(pass));
  };
  number_bytes == 4 ? of(float{}) : of(double{});
}
