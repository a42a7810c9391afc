// Op schemas and their CPU bindings: checks, allocation and dispatch; the work is in cpu/.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <tuple>
#include <vector>

#include "ops.h"
#include "window.h"
#define FASTSPEC_LEVEL declarations
#include "cpu/interpolate.h"
#include "cpu/kernels.h"
#include "cpu/sort.h"
#include "cpu/spectrum.h"
#include "cpu/spread.h"

namespace fastspec {

void run_tasks(int64_t count, Task task, void* context) {
  std::atomic<int64_t> next{0};
  const int64_t threads = std::min<int64_t>(count, thread_count());
  torch::stable::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t thread = begin; thread < end; ++thread)
      for (int64_t i = next++; i < count; i = next++) task(context, i);
  });
}

int thread_count() { return int(torch::stable::get_num_threads()); }

void* scratch(size_t bytes) {
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  thread_local std::unique_ptr<void, Free> memory;
  thread_local size_t held = 0;
  if (bytes > held) {
    held = (bytes + 4095) / 4096 * 4096;
    memory.reset(std::aligned_alloc(64, held));
  }
  return memory.get();
}

namespace {

template <class T>
Points<T> points_of(const SortedPoints& p) {
  using P = typename Fixed<T>::type;
  return {static_cast<const P*>(p.position.const_data_ptr()), in<int32_t>(p.order), in<int32_t>(p.starts),
          p.position.size(0), p.position.size(1)};
}

}  // namespace

void spread_to(const SortedPoints& p, const Tensor& strengths, int64_t channels, Tensor& grid) {
  by_precision(grid, [&](auto zero) {
    using T = decltype(zero);
    SpreadArgs<T> a{p.grid, points_of<T>(p), in<T>(p.polynomials), in<T>(strengths), out<T>(grid), channels};
    kernels<T>().spread(a, p.width(), is_complex(grid));
  });
}

void interpolate_to(const SortedPoints& p, const Tensor& grid, int64_t channels, Tensor* values, Tensor* slopes,
                    const Tensor* strengths, Tensor* gradient) {
  by_precision(grid, [&](auto zero) {
    using T = decltype(zero);
    InterpolateArgs<T> a{};
    a.grid = p.grid;
    a.points = points_of<T>(p);
    a.polynomials = in<T>(p.polynomials);
    a.in = in<T>(grid);
    a.values = values ? out<T>(*values) : nullptr;
    a.slopes = slopes ? out<T>(*slopes) : nullptr;
    a.channels = channels;
    a.strengths = strengths ? in<T>(*strengths) : nullptr;
    a.gradient = gradient ? out<T>(*gradient) : nullptr;
    kernels<T>().interpolate(a, p.width(), is_complex(grid));
  });
}

// `single` says whether the strengths and values will be float32, whatever x is.
static std::tuple<Tensor, Tensor, Tensor> sort(const Tensor& x, std::vector<double> period, std::vector<int64_t> cells,
                                               std::vector<int64_t> tile, int64_t width, bool single) {
  const Grid g = make_grid(cells, tile, int(width));
  check_points(x, period, g, int(width));
  const int64_t sets = x.size(0), count = x.size(1);
  Tensor position = empty(x, {sets, count, g.dim}, single ? ScalarType::Int : ScalarType::Long);
  Tensor order = empty(x, {sets, count}, ScalarType::Int);
  Tensor starts = empty(x, {sets, g.tile_count() + 1}, ScalarType::Int);
  std::unique_ptr<bool[]> finite(new bool[sets]);
  auto run = [&](auto zero) {
    using T = decltype(zero);
    using P = typename Fixed<T>::type;
    SortArgs<T> a{g,
                  int(width),
                  {},
                  x.const_data_ptr(),
                  is_single(x),
                  sets,
                  count,
                  static_cast<P*>(position.mutable_data_ptr()),
                  out<int32_t>(order),
                  out<int32_t>(starts),
                  finite.get()};
    for (int d = 0; d < g.dim; ++d) a.inverse_period[d] = 1.0 / period[d];
    kernels<T>().sort(a);
  };
  if (single)
    run(float{});
  else
    run(double{});
  for (int64_t s = 0; s < sets; ++s) STD_TORCH_CHECK(finite[s], "x: has non-finite points, must be finite");
  return {position, order, starts};
}

static Tensor spread(const Tensor& position, const Tensor& order, const Tensor& starts, const Tensor& polynomials,
                     const Tensor& strengths, std::vector<int64_t> cells, std::vector<int64_t> tile) {
  check_tensor(strengths, "strengths", 3);
  check_floating(strengths, "strengths");
  const SortedPoints p = sorted_points(position, order, starts, polynomials, cells, tile, is_single(strengths));
  check_size(strengths, "strengths", 0, position.size(0));
  check_size(strengths, "strengths", 2, position.size(1));
  Tensor grid = empty(strengths, shape(strengths, 0, 2, p.grid.cells, p.grid.dim), strengths.scalar_type());
  spread_to(p, strengths, strengths.size(1), grid);
  return grid;
}

static SortedPoints points_on(const Tensor& grid, const Tensor& position, const Tensor& order, const Tensor& starts,
                              const Tensor& polynomials, const std::vector<int64_t>& tile) {
  STD_TORCH_CHECK(grid.dim() >= 3, "grid: rank ", grid.dim(), ", must be 3 to 5");
  check_tensor(grid, "grid", grid.dim());
  check_floating(grid, "grid");
  const std::vector<int64_t> cells = shape(grid, 2, int(grid.dim()), nullptr, 0);
  check_size(grid, "grid", 0, position.size(0));
  return sorted_points(position, order, starts, polynomials, cells, tile, is_single(grid));
}

static Tensor values_of(const Tensor& grid, const Tensor& position) {
  return empty(grid, {grid.size(0), grid.size(1), position.size(1)}, grid.scalar_type());
}

static Tensor interpolate(const Tensor& position, const Tensor& order, const Tensor& starts, const Tensor& polynomials,
                          const Tensor& grid, std::vector<int64_t> tile) {
  const SortedPoints p = points_on(grid, position, order, starts, polynomials, tile);
  Tensor values = values_of(grid, position);
  interpolate_to(p, grid, grid.size(1), &values);
  return values;
}

static std::tuple<Tensor, Tensor> interpolate_slopes(const Tensor& position, const Tensor& order, const Tensor& starts,
                                                     const Tensor& polynomials, const Tensor& grid,
                                                     std::vector<int64_t> tile) {
  const SortedPoints p = points_on(grid, position, order, starts, polynomials, tile);
  Tensor values = values_of(grid, position);
  Tensor slopes = empty(grid, {grid.size(0), grid.size(1), position.size(1), p.grid.dim}, grid.scalar_type());
  interpolate_to(p, grid, grid.size(1), &values, &slopes);
  return {values, slopes};
}

static std::tuple<Tensor, Tensor> interpolate_gradient(const Tensor& position, const Tensor& order,
                                                       const Tensor& starts, const Tensor& polynomials,
                                                       const Tensor& grid, const Tensor& strengths,
                                                       std::vector<int64_t> tile, bool wanted) {
  const SortedPoints p = points_on(grid, position, order, starts, polynomials, tile);
  const int64_t sets = grid.size(0), channels = grid.size(1), count = position.size(1);
  check_tensor(strengths, "strengths", 3);
  check_dtype(strengths, "strengths", grid.scalar_type());
  check_size(strengths, "strengths", 0, sets);
  check_size(strengths, "strengths", 1, channels);
  check_size(strengths, "strengths", 2, count);
  Tensor values = wanted ? values_of(grid, position) : empty(grid, {0}, grid.scalar_type());
  Tensor gradient = empty(grid, {sets, count, p.grid.dim}, is_single(grid) ? ScalarType::Float : ScalarType::Double);
  if (channels == 0) torch::stable::zero_(gradient);
  interpolate_to(p, grid, channels, wanted ? &values : nullptr, nullptr, &strengths, &gradient);
  return {values, gradient};
}

template <class T>
static DeconvolveArgs<T> deconvolve_args(const Band& band, const Tensor& factors, const Tensor& fine) {
  DeconvolveArgs<T> a{};
  a.band = band;
  a.transforms = fine.size(0);
  a.factors = in<T>(factors);
  for (int i = 0; i <= band.dim; ++i) a.fine_stride[i] = fine.stride(i);
  return a;
}

// The fine spectrum may have any strides: FFT libraries leave their output transposed.
static Tensor deconvolve(const Tensor& fine, const Tensor& factors, std::vector<int64_t> modes,
                         std::vector<int64_t> negative, bool centered) {
  const Band band = make_band(fine, modes, negative, centered);
  check_factors(factors, fine, band);
  Tensor result = empty(fine, shape(fine, 0, 1, band.modes, band.dim), fine.scalar_type());
  by_precision(fine, [&](auto zero) {
    using T = decltype(zero);
    DeconvolveArgs<T> a = deconvolve_args<T>(band, factors, fine);
    a.fine = const_cast<T*>(in<T>(fine));
    a.modes = out<T>(result);
    kernels<T>().deconvolve(a);
  });
  return result;
}

static Tensor pad(const Tensor& modes, const Tensor& factors, std::vector<int64_t> cells, std::vector<int64_t> negative,
                  bool centered) {
  check_tensor(modes, "modes", int64_t(cells.size()) + 1);
  Tensor fine = torch::stable::new_zeros(modes, shape(modes, 0, 1, cells.data(), int(cells.size())));
  const Band band = make_band(fine, shape(modes, 1, int(modes.dim()), nullptr, 0), negative, centered);
  check_factors(factors, modes, band);
  by_precision(modes, [&](auto zero) {
    using T = decltype(zero);
    DeconvolveArgs<T> a = deconvolve_args<T>(band, factors, fine);
    a.fine = out<T>(fine);
    a.modes = const_cast<T*>(in<T>(modes));
    kernels<T>().pad(a);
  });
  return fine;
}

void weigh_in_place(Tensor& spectrum, const Tensor& weight, double scale, double* sums) {
  const int dim = check_weighed(spectrum, weight);
  const int64_t transforms = spectrum.size(0);
  by_precision(spectrum, [&](auto zero) {
    using T = decltype(zero);
    WeighArgs<T> a{};
    a.dim = dim;
    a.transforms = transforms;
    a.rows = spectrum.size(1);
    a.last = weight.size(1);
    a.once = 1;
    for (int d = 1; d < dim; ++d) {
      a.cells[d - 1] = spectrum.size(d + 1);
      a.band[d - 1] = weight.size(d + 1);
    }
    a.weight = in<T>(weight);
    a.weights = weight.size(0);
    a.scale = scale;
    a.spectrum = out<T>(spectrum);
    a.loss = sums;
    std::vector<double> partial(size_t(transforms * a.last));
    a.partial = partial.data();
    kernels<T>().weigh(a);
  });
}

static Tensor weigh(Tensor spectrum, const Tensor& weight, double scale) {
  Tensor sums = empty(spectrum, {spectrum.size(0)}, ScalarType::Double);
  weigh_in_place(spectrum, weight, scale, out<double>(sums));
  return sums;
}

// For torch.compile, whose inductor fails on ops that write to their arguments.
static std::tuple<Tensor, Tensor> weigh_copy(const Tensor& spectrum, const Tensor& weight, double scale) {
  Tensor weighed = torch::stable::clone(spectrum);
  Tensor loss = weigh(weighed, weight, scale);
  return {loss, weighed};
}

}  // namespace fastspec

STABLE_TORCH_LIBRARY(fastspec, m) {
  m.def("sort(Tensor x, float[] period, int[] cells, int[] tile, int width, bool single) -> (Tensor, Tensor, Tensor)");
  m.def(
      "spread(Tensor position, Tensor order, Tensor starts, Tensor polynomials, Tensor strengths, int[] cells, "
      "int[] tile) -> Tensor");
  m.def(
      "interpolate(Tensor position, Tensor order, Tensor starts, Tensor polynomials, Tensor grid, int[] tile) -> "
      "Tensor");
  m.def(
      "interpolate_slopes(Tensor position, Tensor order, Tensor starts, Tensor polynomials, Tensor grid, int[] tile) "
      "-> (Tensor, Tensor)");
  m.def(
      "interpolate_gradient(Tensor position, Tensor order, Tensor starts, Tensor polynomials, Tensor grid, "
      "Tensor strengths, int[] tile, bool values) -> (Tensor, Tensor)");
  m.def(
      "spread_ordered(Tensor position, Tensor order, Tensor starts, Tensor polynomials, Tensor strengths, int[] cells, "
      "int[] tile) -> Tensor");
  m.def("deconvolve(Tensor fine, Tensor factors, int[] modes, int[] negative, bool centered) -> Tensor");
  m.def("pad(Tensor modes, Tensor factors, int[] cells, int[] negative, bool centered) -> Tensor");
  m.def("grid_to_modes(Tensor grid, Tensor factors, int[] modes, int[] negative, bool centered, int sign) -> Tensor");
  m.def("modes_to_grid(Tensor modes, Tensor factors, int[] cells, int[] negative, bool centered, int sign) -> Tensor");
  m.def("hadamard(Tensor x, float scale) -> Tensor");
  m.def("weigh(Tensor(a!) spectrum, Tensor weight, float scale) -> Tensor");
  m.def("weigh_copy(Tensor spectrum, Tensor weight, float scale) -> (Tensor, Tensor)");
  m.def(
      "loss_step(Tensor pred, Tensor target, Tensor? quadrature, Tensor position, Tensor order, Tensor starts, "
      "Tensor polynomials, Tensor weight, int[] cells, int[] tile, float scale, bool reduce, bool slope, int[] modes, "
      "float alpha) -> (Tensor, Tensor)");
  m.def(
      "direct_loss_step(Tensor pred, Tensor target, Tensor? quadrature, Tensor x, Tensor weight, int[] modes, float[] "
      "period, float scale, bool reduce, bool slope, float? alpha) -> (Tensor, Tensor)");
}

STABLE_TORCH_LIBRARY_IMPL(fastspec, CPU, m) {
  m.impl("sort", TORCH_BOX(&fastspec::sort));
  m.impl("spread", TORCH_BOX(&fastspec::spread));
  m.impl("spread_ordered", TORCH_BOX(&fastspec::spread));
  m.impl("interpolate", TORCH_BOX(&fastspec::interpolate));
  m.impl("interpolate_slopes", TORCH_BOX(&fastspec::interpolate_slopes));
  m.impl("interpolate_gradient", TORCH_BOX(&fastspec::interpolate_gradient));
  m.impl("deconvolve", TORCH_BOX(&fastspec::deconvolve));
  m.impl("pad", TORCH_BOX(&fastspec::pad));
  m.impl("grid_to_modes", TORCH_BOX(&fastspec::grid_to_modes));
  m.impl("modes_to_grid", TORCH_BOX(&fastspec::modes_to_grid));
  m.impl("hadamard", TORCH_BOX(&fastspec::hadamard));
  m.impl("weigh", TORCH_BOX(&fastspec::weigh));
  m.impl("weigh_copy", TORCH_BOX(&fastspec::weigh_copy));
  m.impl("loss_step", TORCH_BOX(&fastspec::loss_step));
  m.impl("direct_loss_step", TORCH_BOX(&fastspec::direct_loss_step));
}
