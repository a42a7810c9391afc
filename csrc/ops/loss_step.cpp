// The whole step of the loss on real residuals as one op: what Python composes of the raw ops, for the plain case in
// eager mode, where a composition in Python costs more than the work on few points. It goes one of two ways, by
// gridding or by direct sums, each with
//
//     forward(strengths, transforms, sums, wanted)    strengths to the weighed sums
//     backward(values)                                then, the gradient in the strengths
#include <numeric>

#include "../fft/pruned.h"
#include "../fft/small_line.h"
#include "direct.h"
#include "gridding.h"

namespace fastspec {
namespace {

struct Shape {
  int64_t groups, points, channels;

  int64_t transforms() const { return groups * channels; }
};

template <class T>
const T* pointer(const std::optional<Tensor>& t) {
  return t ? in<T>(*t) : nullptr;
}

// Outputs of a network and what they should be, and what is asked: one loss for all, and the gradient in pred.
struct Residual {
  Tensor pred, target;
  std::optional<Tensor> quadrature;
  bool reduce, wanted;

  static Residual read(Stack& s) {
    return {s.next<Tensor>(), s.next<Tensor>(), s.next<std::optional<Tensor>>(), s.next<bool>(), s.next<bool>()};
  }

  // Checked, at `points` points in each of so many sets.
  Shape shape_at(int64_t sets, int64_t points) const {
    check_tensor(pred, "pred", pred.dim());
    check_tensor(target, "target", pred.dim());
    check_dtype(target, "target", pred.scalar_type());
    STD_TORCH_CHECK(!is_complex(pred), "pred: must be real");
    check_floating(pred, "pred");
    STD_TORCH_CHECK(pred.dim() >= 1, "pred: must be (points) or (..., points, channels)");
    const int64_t rank = pred.dim(), channels = rank == 1 ? 1 : pred.size(rank - 1);
    STD_TORCH_CHECK(points > 0 && channels > 0 && pred.size(rank == 1 ? 0 : rank - 2) == points,
                    "pred: must be (points) or (..., points, channels), none of them 0");
    const Shape s{pred.numel() / points / channels, points, channels};
    STD_TORCH_CHECK(target.numel() == pred.numel() && sets > 0 && s.groups % sets == 0, "target: must be as pred");
    if (quadrature) {
      check_tensor(*quadrature, "quadrature", 1);
      check_dtype(*quadrature, "quadrature", pred.scalar_type());
      check_size(*quadrature, "quadrature", 0, points);
    }
    return s;
  }

  Tensor strengths(const Shape& s) const {
    Tensor strengths = empty(pred, {s.groups, s.channels, s.points}, pred.scalar_type());
    by_precision(pred, [&](auto zero) {
      using T = decltype(zero);
      kernels<T>().residual(
          {s.groups, s.points, s.channels, pointer<T>(quadrature), in<T>(pred), in<T>(target), out<T>(strengths)});
    });
    return strengths;
  }

  // From the gradient in the strengths, which write(values) writes.
  template <class Write>
  Tensor gradient(const Shape& s, Write&& write) const {
    Tensor gradient = empty(pred, sizes(pred), pred.scalar_type());
    if (s.channels == 1 && !quadrature) {
      write(gradient);
      return gradient;
    }
    Tensor values = empty(pred, {s.groups, s.channels, s.points}, pred.scalar_type());
    write(values);
    by_precision(pred, [&](auto zero) {
      using T = decltype(zero);
      kernels<T>().residual_gradient(
          {s.groups, s.points, s.channels, pointer<T>(quadrature), in<T>(values), out<T>(gradient)});
    });
    return gradient;
  }

  // Sums (groups * channels) as they are, or added up.
  Tensor loss(const std::vector<double>& sums) const {
    Ints size;
    if (!reduce && pred.dim() > 1) {
      size = shape(pred, 0, int(pred.dim()) - 2);
      size.push_back(pred.size(pred.dim() - 1));
    }
    Tensor loss = empty(pred, size, pred.scalar_type());
    by_precision(pred, [&](auto zero) {
      using T = decltype(zero);
      T* to = out<T>(loss);
      if (reduce)
        *to = T(std::accumulate(sums.begin(), sums.end(), 0.0));
      else
        std::copy(sums.begin(), sums.end(), to);
    });
    return loss;
  }
};

template <class Way>
std::tuple<Tensor, Tensor> step(const Residual& r, const Shape& s, Way&& way) {
  std::vector<double> sums(size_t(s.transforms()), 0.0);
  if (sums.empty()) return {r.loss(sums), empty(r.pred, r.wanted ? sizes(r.pred) : Ints{0}, r.pred.scalar_type())};
  way.forward(r.strengths(s), s.transforms(), sums.data(), r.wanted);
  Tensor loss = r.loss(sums);
  if (!r.wanted) return {loss, empty(r.pred, {0}, r.pred.scalar_type())};
  return {loss, r.gradient(s, [&](Tensor& values) { way.backward(values); })};
}

// --- by gridding ---

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

struct GriddedWay {
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
      gridding.spread(Cpu(), strengths, channels(), grid);
      if (g.dim == 1) return line_step(a, grid, wanted);
      PrunedStep<T>{real_passes<T>(g, a.band, transforms, grid), {a}}.run(wanted);
    });
  }

  void backward(Tensor& values) const {
    gridding.interpolate(Cpu(), grid, channels(), [&](auto& a) { point_to(a.values, values); });
  }
};

std::tuple<Tensor, Tensor> loss_step(const Residual& r, const SortedPoints& points, const Ints& cells, const Ints& tile,
                                     const WeighedBy& by) {
  const Grid g = points.on(cells, tile, is_single(r.pred));
  return step(r, r.shape_at(points.sets(), points.count()), GriddedWay{{points, g}, by});
}

// --- by direct sums ---

struct DirectWay {
  const Tensor& x;
  const HalfModes& modes;
  const WeighedBy& by;
  Tensor spectrum = {};

  int64_t channels() const { return spectrum.size(0) / x.size(0); }

  void forward(const Tensor& strengths, int64_t transforms, double* sums, bool) {
    spectrum = half_spectrum(x, strengths, transforms / x.size(0), modes);
    by_precision(strengths, [&](auto zero) {
      using T = decltype(zero);
      WeighArgs<T> a = by.args<T>(strengths, shape(spectrum, 1, int(spectrum.dim())), transforms);
      a.spectrum = out<T>(spectrum);
      a.loss = sums;
      weigh_spectrum(a);
    });
  }

  void backward(Tensor& values) const { values_of_half(x, spectrum, channels(), modes, values); }
};

std::tuple<Tensor, Tensor> direct_loss_step(const Residual& r, const Tensor& x, const Ints& modes, const Floats& period,
                                            const WeighedBy& by) {
  check_tensor(x, "x", 3);
  check_modes(x, modes, period);
  HalfModes band{modes, period};
  for (int64_t& n : band.count) n |= 1;  // -(N/2) ... N/2
  return step(r, r.shape_at(x.size(0), x.size(1)), DirectWay{x, band, by});
}

}  // namespace
}  // namespace fastspec

STABLE_TORCH_LIBRARY_FRAGMENT(fastspec, m) {
  m.def(
      "loss_step(Tensor pred, Tensor target, Tensor? quadrature, bool reduce, bool wanted, Tensor position, Tensor "
      "order, Tensor starts, Tensor polynomials, int[] cells, int[] tile, Tensor weight, float scale, int[] modes, int "
      "rule, float parameter) -> (Tensor, Tensor)");
  m.def(
      "direct_loss_step(Tensor pred, Tensor target, Tensor? quadrature, bool reduce, bool wanted, Tensor x, int[] "
      "modes, "
      "float[] period, Tensor weight, float scale, int[] weighed, int rule, float parameter) -> (Tensor, Tensor)");
}

STABLE_TORCH_LIBRARY_IMPL(fastspec, CPU, m) {
  using namespace fastspec;
  m.impl("loss_step", boxed<loss_step>);
  m.impl("direct_loss_step", boxed<direct_loss_step>);
}
