// The planner: direct sums or gridding, and which upsampling factor, window width, fine grid and tiles to use for given
// modes, points and eps.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "grid.h"
#include "rates.h"
#include "widths.h"

namespace fastspec {

struct PlanRequest {
  std::vector<int64_t> modes;
  int64_t points;
  double eps;
  bool single;   // float32 or complex64 data
  bool complex;  // complex strengths, or real ones
  bool slopes;   // whether slopes in the points must meet eps too
  bool cuda = false;
  int64_t sets = 1;  // of points
};

// Nanoseconds by one algorithm: of a transform of real and of complex strengths, and of the loss's step on real
// residuals, but for what all algorithms have in common there.
struct Costs {
  double real = 0, complex = 0, step = 0;
};

struct PlanChoice {
  std::vector<int64_t> cells;  // of the fine grid
  std::vector<int64_t> tile;   // extent of a tile
  int width = 0;               // of the window, in cells
  double sigma = 0;            // smallest ratio of cells to modes
  double error = 0;            // expected relative l2 error, aliasing and rounding
  double rounding = 0;         // of it what no window lessens
  double nanoseconds = 0;      // estimated for one transform, points sorted, one thread of a CPU or a whole GPU
  Costs gridding, direct;      // the same by each algorithm; infinite where there is none
};

// Mean square of the aliasing over an axis, relative to that of many modes. An even axis has one mode at the very edge
// of the band, from where the squared aliasing falls as exp(-steepness z) over a share z of the half band: by the first
// lobe of the window's transform beyond its band, sin(y) / y, and by the deconvolution.
inline double edge_share(int64_t modes, int width, double sigma) {
  if (modes % 2 == 1) return 1;
  const double bandwidth = M_PI * width * (1 - 0.5 / sigma), edge = 1 / (2 * sigma - 1);
  const double lobe = 2 * bandwidth * bandwidth * edge / 3;
  const double deconvolution = 2 * bandwidth * edge * edge / std::sqrt(1 - edge * edge);
  const double steepness = lobe + deconvolution, half_step = steepness / double(modes);
  return half_step / std::tanh(half_step);
}

// Relative l2 error of a transform that nine in ten stay below, fitted to measured ones, in two parts. Aliasing: its
// exponent is that of the prolate function's energy outside its band. Slopes, from the window's derivative, alias ten
// times as much as values.
inline double expected_aliasing(const std::vector<int64_t>& modes, int width, double sigma, bool slopes) {
  const double dim = double(modes.size());
  double shares = 0;
  for (int64_t n : modes) shares += edge_share(n, width, sigma) / dim;
  const double size = (1.25 + 0.25 * dim) * std::pow(4.0 / width, 0.45) * std::sqrt(shares);
  return (slopes ? 10 : 1) * size * (2 * sigma - 1.35) * std::exp(-M_PI * width * std::sqrt(1 - 1 / sigma));
}

// Rounding: the deconvolution divides the modes at the edge of the band, and with them the rounding noise of the grid,
// by the small transform of a wide window, once in each dimension; the FFT's grows with its stages; in double, the
// window's tables are no better than the numbers they are made for. Positions add nothing: see fold.h.
inline double expected_rounding(const std::vector<int64_t>& modes, int width, double sigma, bool single) {
  const double bandwidth = M_PI * width * (1 - 0.5 / sigma), edge = 1 / (2 * sigma - 1);
  double amplification = 0, stages = 0;
  constexpr int samples = 16;
  for (int i = 0; i < samples; ++i) {
    const double z = edge * (i + 0.5) / samples;
    amplification += std::exp(2 * bandwidth * (1 - std::sqrt(1 - z * z))) / samples;
  }
  for (int64_t n : modes) stages += std::log2(sigma * double(n));
  const double unit = single ? 6e-8 : 1.1e-16, tables = single ? 1.6 : 10;
  const double grid = 1.1 * std::pow(0.7 * std::sqrt(amplification), double(modes.size()));
  return unit * (tables + 0.04 * stages + grid);
}

// Even numbers without prime factors above 5: fast for every FFT library, and even for the halved real transform. Long
// ones without a large power of two: see fft/long_line.cpp.
inline int64_t next_smooth(int64_t n) {
  constexpr int64_t is_long = int64_t(1) << 18, largest_power = 1 << 12;
  int64_t best = 3 * n + 2;  // some 2 3^a is below
  for (int64_t fives = 1; fives < best; fives *= 5)
    for (int64_t odd = fives; odd < best; odd *= 3)
      for (int64_t even = 2 * odd, power = 2; even < best; even *= 2, power *= 2)
        if (even >= n && (even < is_long || power <= largest_power)) best = even;
  return best;
}

// One thread, nanoseconds: the windows' evaluation, the rows of cells that a point touches, the tiles' buffers with
// their halos, and the FFT.
inline double cpu_cost(const PlanRequest& r, const PlanChoice& p) {
  constexpr const CpuRates& rate = cpu_rates;
  const double dim = double(r.modes.size()), bytes = (r.single ? 4 : 8) * (r.complex ? 2 : 1);
  const double row_bytes = std::exp2(std::ceil(std::log2(p.width * bytes))), rows = std::pow(p.width, dim - 1);
  const double evaluation = dim * (rate.axis + rate.tap * p.width * std::max(1.0, row_bytes / 64));
  const bool dense = r.modes.size() == 1 && r.points >= 8 * p.cells[0];  // see cpu/dense.h
  const double per_point = dense ? rate.dense_point : evaluation + rows * (rate.row + rate.row_byte * row_bytes);
  double cells = 1, with_halo = 1;
  for (size_t a = 0; a < p.cells.size(); ++a) {
    cells *= double(p.cells[a]);
    with_halo *= double(p.cells[a]) * (1 + double(p.width - 1) / double(p.tile[a]));
  }
  return double(r.points) * per_point +
         bytes * (rate.halo_byte * with_halo + rate.fft_byte * cells * std::log2(cells + 2));
}

// A whole GPU, nanoseconds: what keeps its processors busy, and memory. The grid is cleared, added to with atomics, and
// read and written once for each axis of the FFT; a sector of 32 bytes for each strength.
inline double cuda_cost(const PlanRequest& r, const PlanChoice& p) {
  constexpr const CudaRates& rate = cuda_rates;
  const int dim = int(r.modes.size());
  const double bytes = (r.single ? 4 : 8) * (r.complex ? 2 : 1), points = double(r.points);
  const double taps = 2 * dim * p.width * (rate.tap + rate.term * (window_degree(p.width) + 1));
  const double busy = points * (taps + std::pow(p.width, dim) * rate.cell[dim - 1]);
  double cells = 1, with_halo = 1;
  for (size_t a = 0; a < p.cells.size(); ++a) {
    cells *= double(p.cells[a]);
    with_halo *= double(p.cells[a]) * (1 + double(p.width - 1) / double(p.tile[a]));
  }
  return busy * (r.complex ? rate.complex_numbers : 1) * (r.single ? 1 : rate.double_precision) +
         rate.byte * (bytes * cells * (1 + 2 * dim) + points * (32 + 4 * (dim + 1))) +
         rate.halo_byte * bytes * with_halo;
}

inline double gridding_work(const PlanRequest& r, const PlanChoice& p) {
  return double(r.sets) * (r.cuda ? cuda_cost(r, p) : cpu_rates.share[r.modes.size() - 1] * cpu_cost(r, p));
}

inline double estimated_cost(const PlanRequest& r, const PlanChoice& p) {
  return (r.cuda ? cuda_rates.call : cpu_rates.call[r.modes.size() - 1]) + gridding_work(r, p);
}

// On CUDA a sum over all pairs of points and modes.
inline double cuda_direct_work(const PlanRequest& r) {
  double modes = r.complex ? double(r.modes.back()) : double(r.modes.back() / 2 + 1);
  for (size_t a = 0; a + 1 < r.modes.size(); ++a) modes *= double(r.modes[a]);
  return double(r.sets) * double(r.points) * modes * cuda_rates.pair * (r.single ? 1 : cuda_rates.double_precision);
}

// Direct sums, see cpu/direct.h: tables of each axis, products of all axes but the first, and the sums themselves.
inline double direct_work(const PlanRequest& r) {
  if (r.cuda) return cuda_direct_work(r);
  constexpr double padded = 4;
  const size_t dim = r.modes.size();
  double exponentials = 0, others = 1;
  for (size_t a = 0; a < dim; ++a) {
    exponentials += double(r.modes[a] / 2 + 1);
    if (a > 0) others *= double(a + 1 == dim && !r.complex ? r.modes[a] / 2 + 1 : r.modes[a]);
  }
  const double sums = std::ceil(others / 2) * 4 * std::ceil(double(r.modes[0]) / padded) * padded;
  const DirectRates& rate = cpu_rates.direct[r.single];
  const double per_point =
      rate.coordinate * double(dim) + rate.exponential * (exponentials + 1) + rate.other * others + rate.sum * sums;
  return double(r.sets) * (double(r.points) * per_point + rate.number * sums);
}

// The first axis in one strip of tiles, or in an even number of strips no lower than the window's halo.
inline int64_t strip_height(int64_t cells, int64_t target, int width) {
  auto fits = [&](int64_t h) {
    const int64_t strips = (cells + h - 1) / h;
    return h >= width && h <= 256 && (strips == 1 || (strips % 2 == 0 && cells - (strips - 1) * h >= width));
  };
  for (int64_t step = 0; step < 512; ++step) {
    const int64_t h = target + (step % 2 ? -(step + 1) / 2 : step / 2);
    if (fits(h)) return h;
  }
  throw std::logic_error("no tiling of the first axis");
}

// On CUDA the largest that leaves room for several blocks in a processor's shared memory, or of wide windows, whose
// blocks have many warps, for two: as a sweep over tiles on an H100 has it, real and complex. A plan for real numbers
// serves complex ones too.
inline std::vector<int64_t> cuda_tile(const PlanRequest& r, int width) {
  constexpr int64_t narrow = 9, some = 44 << 10, half = 88 << 10, all = 204 << 10;  // bytes
  if (r.modes.size() == 1) return {kMostTile[0][0]};
  if (r.modes.size() == 2) return {16, kMostTile[1][1]};
  std::vector<int64_t> tile{std::max(8, width), 16, 16};
  const auto bytes = [&](bool complex) {
    return (tile[0] + width - 1) * (tile[1] + width - 1) * (tile[2] + width) * (r.single ? 4 : 8) * (complex ? 2 : 1);
  };
  while (tile[1] > 2 && bytes(r.complex) > (width > narrow ? half : some)) tile[1] /= 2;
  if (bytes(true) > all) tile[2] /= 2;
  return tile;
}

inline std::vector<int64_t> tile_extents(const PlanRequest& r, const std::vector<int64_t>& cells, int width) {
  static constexpr std::array<int64_t, 3> height{256, 32, 8};
  const size_t dim = cells.size();
  std::vector<int64_t> tile(kMostTile[dim - 1], kMostTile[dim - 1] + dim);
  tile[0] = height[dim - 1];
  if (r.cuda) tile = cuda_tile(r, width);
  for (size_t a = 1; a < dim; ++a) tile[a] = std::min(cells[a], tile[a]);
  tile[0] = strip_height(cells[0], std::max<int64_t>(tile[0], width), width);
  return tile;
}

inline std::vector<int> widths(bool single) {
#define FASTSPEC_LISTED(W) W,
  if (single) return {FASTSPEC_SINGLE_WIDTHS(FASTSPEC_LISTED)};
  return {FASTSPEC_DOUBLE_WIDTHS(FASTSPEC_LISTED)};
#undef FASTSPEC_LISTED
}

inline PlanChoice candidate(const PlanRequest& r, double sigma, int width) {
  PlanChoice p;
  p.width = width;
  p.sigma = HUGE_VAL;
  for (int64_t modes : r.modes) {
    const int64_t wanted = std::max<int64_t>(int64_t(std::ceil(sigma * double(modes))), 2 * width);
    p.cells.push_back(next_smooth(wanted));
    p.sigma = std::min(p.sigma, double(p.cells.back()) / double(modes));
  }
  p.sigma = std::min(p.sigma, 2.5);  // on the smallest grids, a window for more would only be wider
  p.tile = tile_extents(r, p.cells, width);
  p.rounding = expected_rounding(r.modes, width, p.sigma, r.single);
  p.error = expected_aliasing(r.modes, width, p.sigma, r.slopes) + p.rounding;
  p.nanoseconds = estimated_cost(r, p);
  return p;
}

// Both ways for both kinds of strengths, and for the loss's step, which has no calls of its parts, but in more than one
// dimension several FFTs, and direct sums over odd numbers of modes.
inline void compare_with_direct(const PlanRequest& r, PlanChoice& p) {
  PlanRequest kind = r;
  for (bool complex : {false, true}) {
    kind.complex = complex;
    (complex ? p.gridding.complex : p.gridding.real) = estimated_cost(kind, p);
    (complex ? p.direct.complex : p.direct.real) =
        (r.cuda ? cuda_rates.direct_call : cpu_rates.direct_call) + direct_work(kind);
  }
  kind.complex = false;
  p.gridding.step = 2 * gridding_work(kind, p) + (r.cuda || r.modes.size() == 1 ? 0 : cpu_rates.step_ffts);
  for (int64_t& n : kind.modes) n |= 1;
  p.direct.step = r.cuda ? HUGE_VAL : 2 * direct_work(kind);  // there is no such op
}

// The cheapest candidate that meets eps; where eps is below the floor of the precision, the most accurate one.
inline PlanChoice choose_plan(const PlanRequest& r) {
  PlanChoice best;
  best.error = best.nanoseconds = HUGE_VAL;
  const double least_sigma = r.modes.size() == 1 ? 1.2 : 1.25;  // in 1-D a wider window costs next to nothing
  for (double sigma : {1.2, 1.25, 1.3, 1.35, 1.4, 1.45, 1.5, 1.55, 1.6, 1.65, 1.7, 1.8, 1.9, 2.0}) {
    if (sigma < least_sigma) continue;
    for (int width : widths(r.single)) {
      const PlanChoice p = candidate(r, sigma, width);
      const bool meets = p.error <= r.eps, best_meets = best.error <= r.eps;
      if (meets ? !best_meets || p.nanoseconds < best.nanoseconds : !best_meets && p.error < best.error) best = p;
    }
  }
  compare_with_direct(r, best);
  return best;
}

}  // namespace fastspec
