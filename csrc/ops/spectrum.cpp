// Between a fine grid and modes, and the loss's pass between its FFTs, as ops: what is said of them in fastspec's
// ops.py.
#include "../fft/half.h"
#include "../fft/long_line.h"
#include "../fft/pruned.h"
#include "boxed.h"
#include "device.h"
#include "inputs.h"

namespace fastspec {
namespace {

// The fine spectrum may have any strides: FFT libraries leave their output transposed.
template <class T>
DeconvolveArgs<T> deconvolve_args(const Band& band, const Tensor& factors, const Tensor& fine, const Tensor& modes) {
  DeconvolveArgs<T> a{
      band, fine.size(0), in<T>(factors), T(1), const_cast<T*>(in<T>(fine)), {}, const_cast<T*>(in<T>(modes))};
  for (int i = 0; i <= band.dim; ++i) a.fine_stride[i] = fine.stride(i);
  return a;
}

void check_sign(int64_t sign, bool real, int64_t of_real) {
  STD_TORCH_CHECK(sign == of_real || (sign == -of_real && !real), "sign: must be -1 or +1, of real grids that of FFTs");
}

// FFTs by blocks of the cache: of short lines in 1-D they take longer.
bool in_blocks(const Band& b) { return b.dim > 1 || is_long_line(b.cells[0]); }

void blocks_to_modes(const Tensor& grid, const Band& b, const Tensor& factors, int sign, Tensor& modes) {
  if (b.dim == 1) return line_to_modes(grid, kept(b, 0), factors, sign, modes);
  by_precision(grid, [&](auto zero) {
    using T = decltype(zero);
    complex_passes<T>(b, grid.size(0), factors, sign, grid).to_modes(grid, out<T>(modes));
  });
}

void modes_to_blocks(const Tensor& modes, const Band& b, const Tensor& factors, int sign, Tensor& grid) {
  if (b.dim == 1) return modes_to_line(modes, kept(b, 0), factors, sign, grid);
  by_precision(grid, [&](auto zero) {
    using T = decltype(zero);
    complex_passes<T>(b, grid.size(0), factors, sign, modes).to_grid(in<T>(modes), out<T>(grid));
  });
}

void check_halved(bool real, const Ints& negative) {
  STD_TORCH_CHECK(!real || negative.back() == 0, "negative: the last axis of a real grid has none");
}

template <class Device>
Tensor grid_to_modes(const Tensor& grid, const Tensor& factors, const Ints& modes, const Ints& negative, bool centered,
                     int64_t sign) {
  check_floating(grid, "grid");
  check_tensor(grid, "grid", grid.dim());
  const bool real = !is_complex(grid);
  Ints cells = shape(grid, 1, int(grid.dim()));
  if (real && !cells.empty()) cells.back() = cells.back() / 2 + 1;
  const Band band = make_band(cells, modes, negative, centered);
  check_halved(real, negative);
  check_factors(factors, grid, band);
  check_sign(sign, real, -1);
  const Device device(grid, factors);
  Tensor result = empty(grid, shape(grid, 0, 1, band.modes, band.dim), complex_type(grid));
  if (grid.size(0) == 0) return result;  // FFT libraries refuse a batch of none
  if constexpr (Device::kBlocks)
    if (!real && in_blocks(band)) {
      blocks_to_modes(grid, band, factors, int(sign), result);
      return result;
    }
  const Tensor fine = real ? half_fft(grid, modes.back()) : fft(grid, axes(1, band.dim), int(sign));
  by_precision(grid,
               [&](auto zero) { device.deconvolve(deconvolve_args<decltype(zero)>(band, factors, fine, result)); });
  return result;
}

// `whole`: of the modes of a real grid, how many the last axis has unhalved; else 0. The inverse FFT of half a spectrum
// counts all wavenumbers but 0 twice, of which an even axis' last one has no partner.
template <class Device>
Tensor modes_to_grid(const Tensor& modes, const Tensor& factors, const Ints& cells, const Ints& negative, bool centered,
                     int64_t sign, int64_t whole) {
  STD_TORCH_CHECK(is_complex(modes), "modes: must be complex");
  check_tensor(modes, "modes", int64_t(cells.size()) + 1);
  const int dim = int(cells.size());
  const bool real = whole > 0;
  const Ints counts = shape(modes, 1, dim + 1);
  Ints padded = cells;
  if (real && dim > 0) {
    STD_TORCH_CHECK(counts.back() == whole / 2 + 1 && counts.back() <= cells.back() / 2 + 1,
                    "whole: must be of as many modes as there are halves");
    padded.back() = dim == 1 ? cells.back() / 2 + 1 : counts.back();
  }
  const Band band = make_band(padded, counts, negative, centered);
  check_halved(real, negative);
  check_factors(factors, modes, band);
  check_sign(sign, real, 1);
  const Device device(modes, factors);
  if (modes.size(0) == 0)
    return empty(modes, shape(modes, 0, 1, cells.data(), dim), real ? real_type(modes) : modes.scalar_type());
  Tensor fine = empty(modes, shape(modes, 0, 1, band.cells, dim), modes.scalar_type());
  if constexpr (Device::kBlocks)
    if (!real && in_blocks(band)) {
      modes_to_blocks(modes, band, factors, int(sign), fine);
      return fine;
    }
  by_precision(modes, [&](auto zero) {
    auto a = deconvolve_args<decltype(zero)>(band, factors, fine, modes);
    if (real && whole % 2 == 0) a.edge = 0.5;
    device.pad(a, fine);
  });
  return torch::stable::contiguous(real ? inverse_half_fft(fine, cells.back()) : fft(fine, axes(1, dim), int(sign)));
}

template <class Device>
Tensor weigh(Tensor spectrum, const WeighedBy& by) {
  STD_TORCH_CHECK(spectrum.dim() >= 2 && spectrum.dim() <= kMaxDim + 1 && is_complex(spectrum),
                  "spectrum: must be complex, of rank 2 to 4");
  check_tensor(spectrum, "spectrum", spectrum.dim());
  const int64_t transforms = spectrum.size(0);
  const Device device(spectrum, by.weight);
  Tensor sums = empty(spectrum, {transforms}, ScalarType::Double);
  by_precision(spectrum, [&](auto zero) {
    using T = decltype(zero);
    auto a = by.args<T>(spectrum, shape(spectrum, 1, int(spectrum.dim())), transforms);
    if (transforms == 0) return;
    a.spectrum = out<T>(spectrum);
    a.loss = out<double>(sums);
    device.weigh(a);
  });
  return sums;
}

// For torch.compile, whose inductor fails on ops that write to their arguments.
template <class Device>
std::tuple<Tensor, Tensor> weigh_copy(const Tensor& spectrum, const WeighedBy& by) {
  const Tensor weighed = torch::stable::clone(spectrum);
  return {weigh<Device>(weighed, by), weighed};
}

}  // namespace

static void define(torch::stable::detail::StableLibrary& m) {
  m.def("grid_to_modes(Tensor grid, Tensor factors, int[] modes, int[] negative, bool centered, int sign) -> Tensor");
  m.def(
      "modes_to_grid(Tensor modes, Tensor factors, int[] cells, int[] negative, bool centered, int sign, int whole) -> "
      "Tensor");
  m.def("weigh(Tensor(a!) spectrum, Tensor weight, float scale, int[] modes, int rule, float parameter) -> Tensor");
  m.def(
      "weigh_copy(Tensor spectrum, Tensor weight, float scale, int[] modes, int rule, float parameter) -> (Tensor, "
      "Tensor)");
}

template <class Device>
static void implement(torch::stable::detail::StableLibrary& m) {
  m.impl("grid_to_modes", boxed<grid_to_modes<Device>>);
  m.impl("modes_to_grid", boxed<modes_to_grid<Device>>);
  m.impl("weigh", boxed<weigh<Device>>);
  m.impl("weigh_copy", boxed<weigh_copy<Device>>);
}

}  // namespace fastspec

FASTSPEC_REGISTER
