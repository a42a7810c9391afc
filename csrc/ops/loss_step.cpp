// The step of the loss by gridding: what Python composes of the raw ops, as one.
#include <numeric>

#include "../fft/half.h"
#include "../fft/pruned.h"
#include "../fft/small_line.h"
#include "gridding.h"
#include "residual.h"

namespace fastspec {
namespace {

// The FFTs of real grids in 2-D and 3-D and the weighing of their spectra, in blocks of lines, in place: the grid
// becomes the gradient's if it is wanted.
template <class T>
struct PrunedStep {
  RealPasses<T> passes;
  Weighing<T> weighing;

  const Planes<T>& p = passes.p;
  int64_t count = p.blocks_of_lines(), size = p.lines_per_block();

  // body(line, wavenumber of the halved axis) for the lines of a block
  template <class Body>
  void lines(T* z, int64_t transform, int64_t first, int64_t lines, Body&& body) const {
    for (int64_t l = first; l < first + lines; ++l) {
      const int64_t k = l % p.last.count, place = l / p.last.count;
      body(weighing.line(z + (l - first) * p.n0 * 2, transform, k, place), k);
    }
  }

  // Each transform's largest |F|^2, as a divisor.
  std::vector<T> peaks() const {
    std::vector<T> partial(size_t(p.transforms * count)), largest;
    passes.transform_lines([&](T* z, int64_t t, int64_t first, int64_t some) {
      T most = 0;
      lines(z, t, first, some,
            [&](const WeighLine<T>& l, int64_t) { most = std::max(most, kernels<T>().focal_peak(l)); });
      partial[size_t(t * count + first / size)] = most;
    });
    for (auto from = partial.begin(); from != partial.end(); from += count)
      largest.push_back(focal_divisor(*std::max_element(from, from + count)));
    return largest;
  }

  void run(bool wanted) const {
    const bool focal = weighing.a.focal();
    passes.to_lines();
    const std::vector<T> largest = focal ? peaks() : std::vector<T>(size_t(p.transforms));
    std::vector<double> partial(size_t(p.transforms * count));
    passes.change_lines(focal, wanted, [&](T* z, int64_t t, int64_t first, int64_t some) {
      double total = 0;
      lines(z, t, first, some, [&](const WeighLine<T>& l, int64_t k) {
        total += weighing.times(k) * weighing.weigh(l, largest[size_t(t)]);
      });
      partial[size_t(t * count + first / size)] = total;
    });
    for (int64_t t = 0; t < p.transforms; ++t)
      weighing.a.loss[t] = std::accumulate(partial.begin() + t * count, partial.begin() + (t + 1) * count, 0.0);
    if (wanted) passes.from_lines();
  }
};

// The same in 1-D.
template <class T>
void line_step(WeighArgs<T> a, Tensor& grid, bool wanted) {
  const int64_t cells = grid.size(1), modes = a.band.modes[0];
  if (!a.focal() && SmallLineTables<T>::worth(cells, modes)) {
    const SmallLineTables<T>& t = SmallLineTables<T>::of(cells, modes);
    return kernels<T>().small_step({cells, modes, t.padded, t.cosine.data(), t.sine.data(), a.transforms, out<T>(grid),
                                    a.weight, a.weights, a.scale, a.loss});
  }
  Tensor spectrum = real_fft(grid);
  a.spectrum = out<T>(spectrum);
  weigh_spectrum(a);
  if (wanted) grid = inverse_real_fft(spectrum, cells);
}

// Between the grid of strengths and that of the gradient, in place: on a CPU by blocks of the cache.
template <class T>
void step_between(const Cpu&, const Grid& g, const WeighArgs<T>& a, Tensor& grid, bool wanted) {
  if (g.dim == 1) return line_step(a, grid, wanted);
  PrunedStep<T>{real_passes<T>(g, a.band, a.transforms, grid), {a}}.run(wanted);
}

#if defined(USE_CUDA) || defined(FASTSPEC_EMULATED)
// weigh takes the halved axis first.
Tensor reversed(const Tensor& spectrum) {
  return torch::stable::contiguous(torch::stable::transpose(spectrum, 1, spectrum.dim() - 1));
}

template <class T>
void step_between(const Cuda& device, const Grid& g, WeighArgs<T> a, Tensor& grid, bool wanted) {
  int64_t& halved = a.band.cells[0];
  if (g.dim > 1) halved = a.band.modes[0];  // other axes have fewer lines so; in 1-D there are none to spare
  Tensor spectrum = reversed(half_fft(grid, halved));
  a.spectrum = out<T>(spectrum);
  device.weigh(a);
  if (wanted) grid = torch::stable::contiguous(inverse_half_fft(reversed(spectrum), g.cells[g.dim - 1]));
}
#endif

template <class Device>
struct GriddedWay {
  const Device& device;
  Gridding gridding;
  const WeighedBy& by;
  Tensor grid = {};

  int64_t channels() const { return grid.size(0) / gridding.points.sets(); }

  void forward(const Tensor& strengths, int64_t transforms, double* sums, bool wanted) {
    const Grid& g = gridding.grid;
    Ints size{transforms}, halved{g.cells[g.dim - 1] / 2 + 1};
    size.insert(size.end(), g.cells, g.cells + g.dim);
    for (int a = g.dim - 2; a >= 0; --a) halved.push_back(g.cells[a]);
    by_precision(strengths, [&](auto zero) {
      using T = decltype(zero);
      WeighArgs<T> a = by.args<T>(strengths, halved, transforms);
      a.loss = sums;
      grid = empty(strengths, size, strengths.scalar_type());
      gridding.spread(device, strengths, channels(), grid);
      step_between(device, g, a, grid, wanted);
    });
  }

  void backward(Tensor& values) const {
    gridding.interpolate(device, grid, channels(), [&](auto& a) { point_to(a.values, values); });
  }
};

template <class Device>
std::tuple<Tensor, Tensor> loss_step(const Residual& r, const SortedPoints& points, const Ints& cells, const Ints& tile,
                                     const WeighedBy& by) {
  const Grid g = points.on(cells, tile, is_single(r.pred));
  const RowsShape shape = r.shape_at(points.sets(), points.count());
  const Device device = points.with<Device>(r.pred, r.target, by.weight, r.quadrature ? *r.quadrature : r.pred);
  return step(device, r, shape, GriddedWay<Device>{device, {points, g}, by});
}

}  // namespace

static void define(torch::stable::detail::StableLibrary& m) {
  m.def(
      "loss_step(Tensor pred, Tensor target, Tensor? quadrature, bool reduce, bool wanted, Tensor position, Tensor "
      "order, Tensor starts, Tensor polynomials, int[] cells, int[] tile, Tensor weight, float scale, int[] modes, int "
      "rule, float parameter) -> (Tensor, Tensor)");
}

template <class Device>
static void implement(torch::stable::detail::StableLibrary& m) {
  m.impl("loss_step", boxed<loss_step<Device>>);
}

}  // namespace fastspec

FASTSPEC_REGISTER
