// The ops on CUDA: checks, allocation, torch's current stream, and the launch. The only file here that sees torch.
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>

#include <stdexcept>
#include <tuple>

#include "../fft.h"
#include "../focal.h"
#include "../inputs.h"
#include "../tensors.h"
#include "kernels.h"

namespace fastspec::cuda::ops {
namespace {

// Launches go to the tensor's device and torch's current stream there.
class __attribute__((visibility("hidden"))) Here {
 public:
#ifdef USE_CUDA
  explicit Here(const Tensor& t) : guard_(t.get_device_index()) {
    TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(t.get_device_index(), &stream_));
  }
#else
  explicit Here(const Tensor&) {}
#endif
  void* stream() const { return stream_; }

 private:
#ifdef USE_CUDA
  torch::stable::accelerator::DeviceGuard guard_;
#endif
  void* stream_ = nullptr;
};

template <class... Others>
void check_together(const Tensor& first, const Others&... others) {
  STD_TORCH_CHECK(((others.device() == first.device()) && ...), "tensors on different devices");
}

Tensor work_space(const Tensor& like, int64_t bytes) { return empty(like, {bytes}, ScalarType::Byte); }

template <class T>
Points<T> points_of(const SortedPoints& p) {
  using P = typename Fixed<T>::type;
  return {static_cast<const P*>(p.position.const_data_ptr()), in<int32_t>(p.order), in<int32_t>(p.starts),
          p.position.size(0), p.position.size(1)};
}

// --- sort, spread, interpolate ---

std::tuple<Tensor, Tensor, Tensor> sort(const Tensor& x, std::vector<double> period, std::vector<int64_t> cells,
                                        std::vector<int64_t> tile, int64_t width, bool single) {
  const Grid g = make_grid(cells, tile, int(width));
  check_points(x, period, g, int(width));
  const int64_t sets = x.size(0), count = x.size(1), all = sets * count, keys = sort_keys(g, count);
  STD_TORCH_CHECK(sets * keys < (int64_t(1) << 32), "x: too many point sets for as many tiles");
  const Here here(x);
  Tensor position = empty(x, {sets, count, g.dim}, single ? ScalarType::Int : ScalarType::Long);
  Tensor order = empty(x, {sets, count}, ScalarType::Int);
  Tensor starts = empty(x, {sets, g.tile_count() + 1}, ScalarType::Int);
  Tensor numbers = empty(x, {3, all}, ScalarType::Int);
  Tensor sorting = work_space(x, int64_t(sort_workspace(all, sets * keys)));
  auto run = [&](auto zero) {
    using T = decltype(zero);
    uint32_t* space = static_cast<uint32_t*>(numbers.mutable_data_ptr());
    SortArgs<T> a{g,
                  int(width),
                  {},
                  x.const_data_ptr(),
                  is_single(x),
                  sets,
                  count,
                  static_cast<typename Fixed<T>::type*>(position.mutable_data_ptr()),
                  out<int32_t>(order),
                  out<int32_t>(starts),
                  space,
                  space + all,
                  reinterpret_cast<int32_t*>(space + 2 * all),
                  sorting.mutable_data_ptr(),
                  size_t(sorting.numel())};
    for (int d = 0; d < g.dim; ++d) a.inverse_period[d] = 1.0 / period[d];
    cuda::sort(a, here.stream());
  };
  if (single)
    run(float{});
  else
    run(double{});
  return {position, order, starts};
}

Tensor spread_either(const Tensor& position, const Tensor& order, const Tensor& starts, const Tensor& polynomials,
                     const Tensor& strengths, const std::vector<int64_t>& cells, const std::vector<int64_t>& tile,
                     bool ordered) {
  check_tensor(strengths, "strengths", 3);
  check_floating(strengths, "strengths");
  check_together(strengths, position, order, starts, polynomials);
  const SortedPoints p = sorted_points(position, order, starts, polynomials, cells, tile, is_single(strengths));
  check_size(strengths, "strengths", 0, position.size(0));
  check_size(strengths, "strengths", 2, position.size(1));
  const Here here(strengths);
  Tensor grid = empty(strengths, shape(strengths, 0, 2, p.grid.cells, p.grid.dim), strengths.scalar_type());
  by_precision(grid, [&](auto zero) {
    using T = decltype(zero);
    const SpreadArgs<T> a{p.grid,           points_of<T>(p), p.width(),        in<T>(p.polynomials),
                          in<T>(strengths), out<T>(grid),    strengths.size(1)};
    cuda::spread(a, is_complex(grid), ordered, here.stream());
  });
  return grid;
}

Tensor spread(const Tensor& position, const Tensor& order, const Tensor& starts, const Tensor& polynomials,
              const Tensor& strengths, std::vector<int64_t> cells, std::vector<int64_t> tile) {
  return spread_either(position, order, starts, polynomials, strengths, cells, tile, false);
}

Tensor spread_ordered(const Tensor& position, const Tensor& order, const Tensor& starts, const Tensor& polynomials,
                      const Tensor& strengths, std::vector<int64_t> cells, std::vector<int64_t> tile) {
  return spread_either(position, order, starts, polynomials, strengths, cells, tile, true);
}

// What the interpolations share. wanted(args) says where values, slopes or gradient go.
template <class Wanted>
void interpolate_to(const Tensor& grid, const Tensor& position, const Tensor& order, const Tensor& starts,
                    const Tensor& polynomials, const std::vector<int64_t>& tile, Wanted&& wanted) {
  STD_TORCH_CHECK(grid.dim() >= 3, "grid: rank ", grid.dim(), ", must be 3 to 5");
  check_tensor(grid, "grid", grid.dim());
  check_floating(grid, "grid");
  check_together(grid, position, order, starts, polynomials);
  const std::vector<int64_t> cells = shape(grid, 2, int(grid.dim()), nullptr, 0);
  const SortedPoints p = sorted_points(position, order, starts, polynomials, cells, tile, is_single(grid));
  check_size(grid, "grid", 0, position.size(0));
  const Here here(grid);
  by_precision(grid, [&](auto zero) {
    using T = decltype(zero);
    InterpolateArgs<T> a{};
    a.grid = p.grid;
    a.points = points_of<T>(p);
    a.width = p.width();
    a.polynomials = in<T>(p.polynomials);
    a.in = in<T>(grid);
    a.channels = grid.size(1);
    wanted(a);
    cuda::interpolate(a, is_complex(grid), here.stream());
  });
}

Tensor values_of(const Tensor& grid, const Tensor& position) {
  return empty(grid, {grid.size(0), grid.size(1), position.size(1)}, grid.scalar_type());
}

// The numbers of a tensor, for a field of InterpolateArgs.
template <class T>
void point_to(T*& field, Tensor& t) {
  field = out<T>(t);
}

Tensor interpolate(const Tensor& position, const Tensor& order, const Tensor& starts, const Tensor& polynomials,
                   const Tensor& grid, std::vector<int64_t> tile) {
  Tensor values = values_of(grid, position);
  interpolate_to(grid, position, order, starts, polynomials, tile, [&](auto& a) { point_to(a.values, values); });
  return values;
}

std::tuple<Tensor, Tensor> interpolate_slopes(const Tensor& position, const Tensor& order, const Tensor& starts,
                                              const Tensor& polynomials, const Tensor& grid,
                                              std::vector<int64_t> tile) {
  Tensor values = values_of(grid, position);
  Tensor slopes = empty(grid, {grid.size(0), grid.size(1), position.size(1), position.size(2)}, grid.scalar_type());
  interpolate_to(grid, position, order, starts, polynomials, tile, [&](auto& a) {
    point_to(a.values, values);
    point_to(a.slopes, slopes);
  });
  return {values, slopes};
}

std::tuple<Tensor, Tensor> interpolate_gradient(const Tensor& position, const Tensor& order, const Tensor& starts,
                                                const Tensor& polynomials, const Tensor& grid, const Tensor& strengths,
                                                std::vector<int64_t> tile, bool wanted) {
  const int64_t sets = grid.size(0), channels = grid.size(1), count = position.size(1);
  check_tensor(strengths, "strengths", 3);
  check_dtype(strengths, "strengths", grid.scalar_type());
  check_together(grid, strengths);
  check_size(strengths, "strengths", 0, sets);
  check_size(strengths, "strengths", 1, channels);
  check_size(strengths, "strengths", 2, count);
  Tensor values = wanted ? values_of(grid, position) : empty(grid, {0}, grid.scalar_type());
  Tensor gradient =
      empty(grid, {sets, count, position.size(2)}, is_single(grid) ? ScalarType::Float : ScalarType::Double);
  if (channels == 0) torch::stable::zero_(gradient);  // a sum over none
  interpolate_to(grid, position, order, starts, polynomials, tile, [&](auto& a) {
    if (wanted) point_to(a.values, values);
    a.strengths = in<std::remove_reference_t<decltype(*a.gradient)>>(strengths);
    point_to(a.gradient, gradient);
  });
  return {values, gradient};
}

// --- between FFT and modes ---

template <class T>
DeconvolveArgs<T> deconvolve_args(const Band& band, const Tensor& factors, const Tensor& fine) {
  DeconvolveArgs<T> a{};
  a.band = band;
  a.transforms = fine.size(0);
  a.factors = in<T>(factors);
  for (int i = 0; i <= band.dim; ++i) a.fine_stride[i] = fine.stride(i);
  return a;
}

// The fine spectrum may have any strides: FFT libraries leave their output transposed.
Tensor deconvolve(const Tensor& fine, const Tensor& factors, std::vector<int64_t> modes, std::vector<int64_t> negative,
                  bool centered) {
  const Band band = make_band(fine, modes, negative, centered);
  check_factors(factors, fine, band);
  check_together(fine, factors);
  const Here here(fine);
  Tensor result = empty(fine, shape(fine, 0, 1, band.modes, band.dim), fine.scalar_type());
  by_precision(fine, [&](auto zero) {
    using T = decltype(zero);
    DeconvolveArgs<T> a = deconvolve_args<T>(band, factors, fine);
    a.fine = const_cast<T*>(in<T>(fine));
    a.modes = out<T>(result);
    cuda::deconvolve(a, here.stream());
  });
  return result;
}

Tensor pad(const Tensor& modes, const Tensor& factors, std::vector<int64_t> cells, std::vector<int64_t> negative,
           bool centered) {
  check_tensor(modes, "modes", int64_t(cells.size()) + 1);
  check_together(modes, factors);
  const Here here(modes);
  Tensor fine = empty(modes, shape(modes, 0, 1, cells.data(), int(cells.size())), modes.scalar_type());
  const Band band = make_band(fine, shape(modes, 1, int(modes.dim()), nullptr, 0), negative, centered);
  check_factors(factors, modes, band);
  by_precision(modes, [&](auto zero) {
    using T = decltype(zero);
    DeconvolveArgs<T> a = deconvolve_args<T>(band, factors, fine);
    a.fine = out<T>(fine);
    a.modes = const_cast<T*>(in<T>(modes));
    cuda::pad(a, here.stream());
  });
  return fine;
}

std::vector<int64_t> axes_of(const Tensor& grid) {
  std::vector<int64_t> axes;
  for (int64_t a = 1; a < grid.dim(); ++a) axes.push_back(a);
  return axes;
}

Tensor grid_to_modes(const Tensor& grid, const Tensor& factors, std::vector<int64_t> modes,
                     std::vector<int64_t> negative, bool centered, int64_t sign) {
  return deconvolve(fft(grid, axes_of(grid), int(sign)), factors, modes, negative, centered);
}

Tensor modes_to_grid(const Tensor& modes, const Tensor& factors, std::vector<int64_t> cells,
                     std::vector<int64_t> negative, bool centered, int64_t sign) {
  const Tensor fine = pad(modes, factors, cells, negative, centered);
  return fft(fine, axes_of(fine), int(sign));
}

// `count(a)`: wavenumbers of axis a that have weights.
template <class Count>
Band weighed_band(const Tensor& spectrum, Count&& count) {
  Band band{};
  band.dim = int(spectrum.dim()) - 1;
  for (int a = 0; a < band.dim; ++a) {
    band.cells[a] = spectrum.size(a + 1);
    band.modes[a] = count(a);
    band.negative[a] = a == 0 ? 0 : band.modes[a] / 2;
  }
  return band;
}

Tensor weigh(Tensor spectrum, const Tensor& weight, double scale) {
  check_weighed(spectrum, weight);
  check_together(spectrum, weight);
  const Band band = weighed_band(spectrum, [&](int a) { return weight.size(a + 1); });
  const Here here(spectrum);
  Tensor sums = empty(spectrum, {spectrum.size(0)}, ScalarType::Double);
  Tensor partial = empty(spectrum, {weigh_workspace(band, spectrum.size(0))}, ScalarType::Double);
  by_precision(spectrum, [&](auto zero) {
    using T = decltype(zero);
    cuda::weigh<T>({band, spectrum.size(0), in<T>(weight), weight.size(0), scale, out<T>(spectrum), out<double>(sums),
                    out<double>(partial)},
                   here.stream());
  });
  return sums;
}

std::tuple<Tensor, Tensor> weigh_copy(const Tensor& spectrum, const Tensor& weight, double scale) {
  Tensor weighed = torch::stable::clone(spectrum);
  Tensor loss = weigh(weighed, weight, scale);
  return {loss, weighed};
}

Tensor hadamard(const Tensor& x, double scale) {
  check_lines(x, scale);
  const Here here(x);
  Tensor result = empty(x, shape(x, 0, 3, nullptr, 0), x.scalar_type());
  by_number(x, [&](auto zero) {
    using T = decltype(zero);
    const int64_t parts = is_complex(x) ? 2 : 1;
    cuda::hadamard<T>({x.size(0), x.size(1), x.size(2) * parts, scale, in<T>(x), out<T>(result)}, here.stream());
  });
  return result;
}

Tensor weigh_focal(Tensor spectrum, const Tensor& factors, std::vector<int64_t> modes, double scale, double alpha) {
  const FocalBand focal = check_focal(spectrum, factors, modes, alpha);
  check_together(spectrum, factors);
  const Band band = weighed_band(spectrum, [&](int a) { return focal.count(a); });
  const Here here(spectrum);
  const int64_t transforms = spectrum.size(0);
  Tensor sums = empty(spectrum, {transforms}, ScalarType::Double);
  Tensor partial = empty(spectrum, {weigh_workspace(band, transforms)}, ScalarType::Double);
  Tensor largest = empty(factors, {transforms}, factors.scalar_type());
  by_precision(spectrum, [&](auto zero) {
    using T = decltype(zero);
    FocalArgs<T> a{band,
                   {},
                   transforms,
                   in<T>(factors),
                   alpha / 2,
                   scale,
                   out<T>(spectrum),
                   out<double>(sums),
                   out<T>(largest),
                   out<double>(partial)};
    for (int d = 0; d < band.dim; ++d) a.even[d] = focal.even(d);
    cuda::weigh_focal(a, here.stream());
  });
  return sums;
}

}  // namespace
}  // namespace fastspec::cuda::ops

STABLE_TORCH_LIBRARY_IMPL(fastspec, CUDA, m) {
  m.impl("sort", TORCH_BOX(&fastspec::cuda::ops::sort));
  m.impl("spread", TORCH_BOX(&fastspec::cuda::ops::spread));
  m.impl("spread_ordered", TORCH_BOX(&fastspec::cuda::ops::spread_ordered));
  m.impl("interpolate", TORCH_BOX(&fastspec::cuda::ops::interpolate));
  m.impl("interpolate_slopes", TORCH_BOX(&fastspec::cuda::ops::interpolate_slopes));
  m.impl("interpolate_gradient", TORCH_BOX(&fastspec::cuda::ops::interpolate_gradient));
  m.impl("deconvolve", TORCH_BOX(&fastspec::cuda::ops::deconvolve));
  m.impl("pad", TORCH_BOX(&fastspec::cuda::ops::pad));
  m.impl("grid_to_modes", TORCH_BOX(&fastspec::cuda::ops::grid_to_modes));
  m.impl("modes_to_grid", TORCH_BOX(&fastspec::cuda::ops::modes_to_grid));
  m.impl("weigh", TORCH_BOX(&fastspec::cuda::ops::weigh));
  m.impl("weigh_copy", TORCH_BOX(&fastspec::cuda::ops::weigh_copy));
  m.impl("hadamard", TORCH_BOX(&fastspec::cuda::ops::hadamard));
  m.impl("weigh_focal", TORCH_BOX(&fastspec::cuda::ops::weigh_focal));
}
