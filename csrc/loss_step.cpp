// The whole step of the loss on real residuals as one op: what loss.py composes of the raw ops, for the plain case in
// eager mode, where a composition in Python costs more than the work on few points.
#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>

#include "fft.h"
#include "pruned_fft.h"
#define FASTSPEC_LEVEL declarations
#include "cpu/direct.h"
#include "cpu/kernels.h"
#include "cpu/residual.h"

namespace fastspec {
namespace {

struct Shape {
  int64_t groups, points, channels;
};

// Checks outputs of a network, at `points` points in each of so many sets, and what goes with them.
Shape shape_of(const Tensor& pred, const Tensor& target, const std::optional<Tensor>& quadrature, int64_t sets,
               int64_t points) {
  check_tensor(pred, "pred", pred.dim());
  check_tensor(target, "target", pred.dim());
  check_dtype(target, "target", pred.scalar_type());
  STD_TORCH_CHECK(!is_complex(pred), "pred: must be real");
  check_floating(pred, "pred");
  const int64_t channels = pred.dim() == 1 ? 1 : pred.size(pred.dim() - 1);
  STD_TORCH_CHECK(points > 0 && channels > 0 && pred.numel() % (points * channels) == 0,
                  "pred: must be (points) or (..., points, channels)");
  const Shape s{pred.numel() / (points * channels), points, channels};
  STD_TORCH_CHECK(target.numel() == pred.numel() && sets > 0 && s.groups % sets == 0, "target: must be as pred");
  if (quadrature) {
    check_tensor(*quadrature, "quadrature", 1);
    check_dtype(*quadrature, "quadrature", pred.scalar_type());
    check_size(*quadrature, "quadrature", 0, points);
  }
  return s;
}

template <class T>
const T* quadrature_of(const std::optional<Tensor>& quadrature) {
  return quadrature ? in<T>(*quadrature) : nullptr;
}

Tensor strengths_of(const Tensor& pred, const Tensor& target, const std::optional<Tensor>& quadrature, const Shape& s) {
  Tensor strengths = empty(pred, {s.groups, s.channels, s.points}, pred.scalar_type());
  by_precision(pred, [&](auto zero) {
    using T = decltype(zero);
    kernels<T>().residual(
        {s.groups, s.points, s.channels, quadrature_of<T>(quadrature), in<T>(pred), in<T>(target), out<T>(strengths)});
  });
  return strengths;
}

// The gradient in pred from that in the strengths, which write(values) writes.
template <class Write>
Tensor gradient_of(const Tensor& pred, const std::optional<Tensor>& quadrature, const Shape& s, Write&& write) {
  Tensor gradient = empty(pred, shape(pred, 0, int(pred.dim()), nullptr, 0), pred.scalar_type());
  if (s.channels == 1 && !quadrature) {
    write(gradient);
    return gradient;
  }
  Tensor values = empty(pred, {s.groups, s.channels, s.points}, pred.scalar_type());
  write(values);
  by_precision(pred, [&](auto zero) {
    using T = decltype(zero);
    kernels<T>().transpose(
        {s.groups, s.points, s.channels, quadrature_of<T>(quadrature), in<T>(values), out<T>(gradient)});
  });
  return gradient;
}

// Sums (groups * channels) as they are, or added up.
Tensor loss_of(const std::vector<double>& sums, const Tensor& pred, bool reduce) {
  std::vector<int64_t> size;
  if (!reduce && pred.dim() > 1) {
    size = shape(pred, 0, int(pred.dim()) - 2, nullptr, 0);
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

void check_weight(const Tensor& weight, const Grid& g, int64_t transforms, ScalarType dtype) {
  check_tensor(weight, "weight", g.dim + 1);
  check_dtype(weight, "weight", dtype);
  STD_TORCH_CHECK(weight.size(0) == 1 || weight.size(0) == transforms, "weight: one, or one per transform");
  STD_TORCH_CHECK(weight.size(1) <= g.cells[g.dim - 1] / 2 + 1, "weight: at most the spectrum's rows");
  for (int a = 2; a <= g.dim; ++a)
    STD_TORCH_CHECK(weight.size(a) % 2 == 1 && weight.size(a) <= g.cells[g.dim - a],
                    "weight: its other axes must be odd and at most the grid's");
}

// Rows and cells of a real grid's half spectrum, axes reversed.
std::vector<int64_t> half_spectrum_of(const Grid& g) {
  std::vector<int64_t> cells{g.cells[g.dim - 1] / 2 + 1};
  for (int a = g.dim - 2; a >= 0; --a) cells.push_back(g.cells[a]);
  return cells;
}

// Cosines and sines of a small grid, as cpu/direct.h takes them.
template <class T>
struct DirectTables {
  int64_t cells, modes, padded;
  std::vector<T> cosine, sine;

  DirectTables(int64_t cells, int64_t modes) : cells(cells), modes(modes) {
    const int64_t lanes = 64 / int64_t(sizeof(T));
    padded = (modes + lanes - 1) / lanes * lanes;
    cosine.resize(size_t((cells / 2 + 1) * padded));
    sine.resize(cosine.size());
    for (int64_t j = 0; j <= cells / 2; ++j)
      for (int64_t k = 0; k < modes; ++k) {
        const double angle = 2 * M_PI * double(j * k % cells) / double(cells);
        cosine[size_t(j * padded + k)] = T(std::cos(angle));
        sine[size_t(j * padded + k)] = T(std::sin(angle));
      }
  }

  static bool worth(int64_t cells, int64_t modes) {
    constexpr int64_t bytes_that_stay_in_cache = 1 << 18;
    return cells % 2 == 0 && cells <= kMostDirectCells && 2 * modes <= cells &&
           cells * modes * int64_t(sizeof(T)) <= bytes_that_stay_in_cache;
  }

  // Made once for the sizes that a thread uses.
  static const DirectTables& of(int64_t cells, int64_t modes) {
    constexpr size_t most = 8;
    thread_local std::deque<DirectTables> made;
    for (const DirectTables& t : made)
      if (t.cells == cells && t.modes == modes) return t;
    if (made.size() == most) made.pop_front();
    return made.emplace_back(cells, modes);
  }
};

// The FFTs of the step and what is between them, the grid made the gradient's in its place where it can be.
void weigh_line(const Grid& g, Tensor& grid, int64_t transforms, const Weighing& by, double* sums, bool wanted) {
  const int64_t cells = g.cells[0];
  const Tensor& weight = by.weight;
  bool done = false;
  by_precision(grid, [&](auto zero) {
    using T = decltype(zero);
    if (by.focal || !DirectTables<T>::worth(cells, weight.size(1))) return;
    const DirectTables<T>& t = DirectTables<T>::of(cells, weight.size(1));
    kernels<T>().direct({cells, t.modes, t.padded, t.cosine.data(), t.sine.data(), transforms, out<T>(grid),
                         in<T>(weight), weight.size(0), by.scale, sums});
    done = true;
  });
  if (done) return;
  Tensor spectrum = real_fft(grid);
  if (by.focal)
    weigh_focal_in_place(spectrum, *by.focal, weight, by.scale, sums);
  else
    weigh_in_place(spectrum, weight, by.scale, sums);
  if (wanted) grid = inverse_real_fft(spectrum, cells);
}

}  // namespace

std::tuple<Tensor, Tensor> loss_step(const Tensor& pred, const Tensor& target, std::optional<Tensor> quadrature,
                                     const Tensor& position, const Tensor& order, const Tensor& starts,
                                     const Tensor& polynomials, const Tensor& weight, std::vector<int64_t> cells,
                                     std::vector<int64_t> tile, double scale, bool reduce, bool slope,
                                     std::vector<int64_t> modes, double alpha) {
  check_tensor(position, "position", 3);
  const Shape s = shape_of(pred, target, quadrature, position.size(0), position.size(1));
  const SortedPoints p = sorted_points(position, order, starts, polynomials, cells, tile, is_single(pred));
  const int64_t transforms = s.groups * s.channels;
  std::optional<FocalBand> focal;
  if (modes.empty())
    check_weight(weight, p.grid, transforms, pred.scalar_type());
  else
    focal = focal_band(weight, modes, alpha, half_spectrum_of(p.grid), pred.scalar_type());
  std::vector<int64_t> size{transforms};
  size.insert(size.end(), cells.begin(), cells.end());
  Tensor grid = empty(pred, size, pred.scalar_type());
  spread_to(p, strengths_of(pred, target, quadrature, s), transforms / position.size(0), grid);
  std::vector<double> sums(size_t(transforms), 0.0);
  auto* pass = p.grid.dim > 1 ? weigh_grid : weigh_line;
  pass(p.grid, grid, transforms, {weight, scale, focal ? &*focal : nullptr}, sums.data(), slope);
  Tensor loss = loss_of(sums, pred, reduce);
  if (!slope) return {loss, empty(pred, {0}, pred.scalar_type())};
  const int64_t channels = transforms / position.size(0);
  return {loss, gradient_of(pred, quadrature, s, [&](Tensor& values) { interpolate_to(p, grid, channels, &values); })};
}

std::tuple<Tensor, Tensor> direct_loss_step(const Tensor& pred, const Tensor& target, std::optional<Tensor> quadrature,
                                            const Tensor& x, const Tensor& weight, std::vector<int64_t> modes,
                                            std::vector<double> period, double scale, bool reduce, bool slope,
                                            std::optional<double> alpha) {
  check_tensor(x, "x", 3);
  const Shape s = shape_of(pred, target, quadrature, x.size(0), x.size(1));
  const int64_t transforms = s.groups * s.channels, channels = transforms / x.size(0);
  std::vector<int64_t> band;  // -(N/2) ... N/2
  for (int64_t n : modes) band.push_back(n | 1);
  Tensor spectrum = half_spectrum(x, strengths_of(pred, target, quadrature, s), channels, band, period);
  std::vector<double> sums(size_t(transforms), 0.0);
  if (alpha) {
    const FocalBand focal = check_focal(spectrum, weight, {modes.rbegin(), modes.rend()}, *alpha);
    weigh_focal_in_place(spectrum, focal, weight, scale, sums.data());
  } else {
    check_weighed(spectrum, weight);
    weigh_in_place(spectrum, weight, scale, sums.data());
  }
  Tensor loss = loss_of(sums, pred, reduce);
  if (!slope) return {loss, empty(pred, {0}, pred.scalar_type())};
  return {loss, gradient_of(pred, quadrature, s,
                            [&](Tensor& values) { values_of_half(x, spectrum, channels, band, period, values); })};
}

}  // namespace fastspec
