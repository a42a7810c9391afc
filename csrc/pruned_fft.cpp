#include "pruned_fft.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "fft.h"
#define FASTSPEC_LEVEL declarations
#include "cpu/focal.h"
#include "cpu/kernels.h"
#include "cpu/parallel.h"
#include "cpu/spectrum.h"

namespace fastspec {
namespace {

constexpr int64_t kBlockBytes = 1 << 18;

// Grids of any kind and the lines that their planes become. Distances are in complex numbers, pointers to T.
template <class T>
struct Planes {
  int64_t transforms, n0, n1, n2;
  Kept middle, last;  // of axes 1 and 2
  const Tensor& like;

  bool solid = n1 > 1;
  int64_t per_transform = middle.count * last.count;
  Tensor lines = complex({transforms * per_transform, n0});
  T* line = out<T>(lines);

  Tensor complex(const std::vector<int64_t>& size) const {
    return empty(like, size, sizeof(T) == 4 ? ScalarType::ComplexFloat : ScalarType::ComplexDouble);
  }

  static void turn(int64_t rows, int64_t columns, const T* from, int64_t from_stride, T* to, int64_t to_stride) {
    kernels<T>().turn({rows, columns, from, from_stride, to, to_stride});
  }

  static int64_t block_size(int64_t total, int64_t bytes_each) {
    return std::clamp<int64_t>(kBlockBytes / bytes_each, 1, total);
  }

  // body(transform, first, count) for blocks of `total` equal parts of each transform
  template <class Body>
  void blocks(int64_t total, int64_t bytes_each, Body&& body) const {
    const int64_t size = block_size(total, bytes_each), count = (total + size - 1) / size;
    parallel(transforms * count, 8.0 * transforms * total * bytes_each, [&](int64_t task) {
      const int64_t first = task % count * size;
      body(task / count, first, std::min(size, total - first));
    });
  }
  template <class Body>
  void plane_blocks(Body&& body) const {
    blocks(n0, n1 * n2 * int64_t(sizeof(T)), body);
  }
  template <class Body>
  void line_blocks(Body&& body) const {
    blocks(per_transform, n0 * int64_t(sizeof(T)) * 2, body);
  }

  T* line_at(int64_t transform, int64_t index) const { return line + (transform * per_transform + index) * n0 * 2; }
  Tensor lines_of(int64_t transform, int64_t first, int64_t count) const {
    Tensor all = lines;
    return torch::stable::narrow(all, 0, transform * per_transform + first, count);
  }
  // Line of wavenumbers (k1, k2), both counted from the first one kept, at plane i.
  T* line_at(int64_t transform, int64_t k1, int64_t k2, int64_t i) const {
    return line_at(transform, k1 * last.count + k2) + i * 2;
  }

  // Rows transformed along axis 2, (planes * n1, row), to lines.
  void to_lines(const T* rows, int64_t row, int64_t t, int64_t i, int64_t planes, int sign) const {
    if (!solid) {
      last.for_each_run([&](int64_t k, int64_t cell, int64_t count) {
        turn(planes, count, rows + cell * 2, row, line_at(t, 0, k, i), n0);
      });
      return;
    }
    Tensor turned = complex({planes, last.count, n1});
    for (int64_t p = 0; p < planes; ++p)
      last.for_each_run([&](int64_t k, int64_t cell, int64_t count) {
        turn(n1, count, rows + (p * n1 * row + cell) * 2, row, out<T>(turned) + (p * last.count + k) * n1 * 2, n1);
      });
    turned = fft(turned, {2}, sign);
    for (int64_t k = 0; k < last.count; ++k)
      middle.for_each_run([&](int64_t j, int64_t cell, int64_t count) {
        turn(planes, count, in<T>(turned) + (k * n1 + cell) * 2, last.count * n1, line_at(t, j, k, i), last.count * n0);
      });
  }

  // The transpose: lines to rows (planes * n1, row) that are yet to be transformed along axis 2.
  void from_lines(T* rows, int64_t row, int64_t t, int64_t i, int64_t planes, int sign) const {
    std::fill_n(rows, planes * n1 * row * 2, T(0));
    if (!solid) {
      last.for_each_run([&](int64_t k, int64_t cell, int64_t count) {
        turn(count, planes, line_at(t, 0, k, i), n0, rows + cell * 2, row);
      });
      return;
    }
    Tensor turned = complex({planes, last.count, n1});
    std::fill_n(out<T>(turned), planes * last.count * n1 * 2, T(0));
    for (int64_t k = 0; k < last.count; ++k)
      middle.for_each_run([&](int64_t j, int64_t cell, int64_t count) {
        turn(count, planes, line_at(t, j, k, i), last.count * n0, out<T>(turned) + (k * n1 + cell) * 2,
             last.count * n1);
      });
    turned = fft(turned, {2}, sign);
    for (int64_t p = 0; p < planes; ++p)
      last.for_each_run([&](int64_t k, int64_t cell, int64_t count) {
        turn(count, n1, in<T>(turned) + (p * last.count + k) * n1 * 2, n1, rows + (p * n1 * row + cell) * 2, row);
      });
  }
};

Tensor rows_of(const Tensor& grid, int64_t n2, int64_t first, int64_t count) {
  Tensor all = torch::stable::view(grid, {grid.numel() / n2, n2});
  return torch::stable::narrow(all, 0, first, count);
}

// --- the loss ---

template <class T>
struct LossStep {
  Planes<T> p;
  Tensor& grid;  // (transforms, *cells), real
  const Weighing& by;
  bool wanted;
  int64_t half = p.n2 / 2 + 1;

  void forward() const {
    p.plane_blocks([&](int64_t t, int64_t i, int64_t planes) {
      const Tensor rows = real_fft(rows_of(grid, p.n2, (t * p.n0 + i) * p.n1, planes * p.n1));
      p.to_lines(in<T>(rows), half, t, i, planes, -1);
    });
  }

  // The FFT of axis 0 in place, and each transform's largest |F|^2.
  std::vector<T> peaks() const {
    std::vector<T> partial(size_t(p.transforms * blocks()));
    p.line_blocks([&](int64_t t, int64_t l, int64_t rows) {
      const Tensor spectrum = fft(p.lines_of(t, l, rows), {1}, -1);
      std::memcpy(p.line_at(t, l), in<T>(spectrum), size_t(rows * p.n0) * 2 * sizeof(T));
      T largest = 0;
      for (int64_t r = 0; r < rows; ++r) largest = std::max(largest, kernels<T>().focal_peak(focal_line_at(t, l + r)));
      partial[size_t(t * blocks() + l / block())] = largest;
    });
    std::vector<T> largest;
    for (auto from = partial.begin(); from != partial.end(); from += blocks())
      largest.push_back(focal_divisor(*std::max_element(from, from + blocks())));
    return largest;
  }

  FocalLine<T> focal_line_at(int64_t t, int64_t l) const {
    return focal_line(*by.focal, in<T>(by.weight), p.line_at(t, l), p.n0, l % p.last.count, l / p.last.count);
  }

  double weigh_focal_lines(int64_t t, int64_t l, int64_t rows, T largest) const {
    double total = 0;
    for (int64_t r = 0; r < rows; ++r) {
      const double times = (l + r) % p.last.count ? 2 : 1;
      total += times * kernels<T>().focal_weigh(focal_line_at(t, l + r), {by.focal->alpha / 2, largest, by.scale});
    }
    return total;
  }

  int64_t block() const { return p.block_size(p.per_transform, p.n0 * int64_t(sizeof(T)) * 2); }
  int64_t blocks() const { return (p.per_transform + block() - 1) / block(); }

  void weigh(double* sums) const {
    const int64_t size = block(), count = blocks();
    std::vector<double> partial(size_t(p.transforms * count));
    const std::vector<T> largest = by.focal ? peaks() : std::vector<T>{};
    p.line_blocks([&](int64_t t, int64_t l, int64_t rows) {
      Tensor spectrum = by.focal ? p.lines_of(t, l, rows) : fft(p.lines_of(t, l, rows), {1}, -1);
      partial[size_t(t * count + l / size)] =
          by.focal ? weigh_focal_lines(t, l, rows, largest[size_t(t)]) : weigh_lines(spectrum, t, l, rows);
      if (!wanted) return;
      const Tensor back = fft(spectrum, {1}, 1);
      std::memcpy(p.line_at(t, l), in<T>(back), size_t(rows * p.n0) * 2 * sizeof(T));
    });
    for (int64_t t = 0; t < p.transforms; ++t)
      sums[t] = std::accumulate(partial.begin() + t * count, partial.begin() + (t + 1) * count, 0.0);
  }

  // Lines are (k1, k2), the weight is (K2, B1, B0): each run of lines with one k1 has weights at equal distances.
  double weigh_lines(Tensor& spectrum, int64_t t, int64_t l, int64_t rows) const {
    const Tensor& weight = by.weight;
    const int64_t band = weight.size(weight.dim() - 1), K = p.last.count, bands = p.middle.count;
    const T* weights = in<T>(weight) + (weight.size(0) > 1 ? t * p.per_transform * band : 0);
    double sum = 0, total = 0, work = 0;
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t k1 = (l + r) / K, k2 = (l + r) % K;
      WeighArgs<T> a{};
      a.dim = 2;
      a.transforms = a.rows = a.last = a.weights = 1;
      a.once = k2 == 0;
      a.cells[0] = p.n0;
      a.band[0] = band;
      a.weight = weights + (k2 * bands + k1) * band;
      a.scale = by.scale;
      a.spectrum = out<T>(spectrum) + r * p.n0 * 2;
      a.loss = &sum;
      a.partial = &work;
      kernels<T>().weigh(a);
      total += sum;
    }
    return total;
  }

  void backward() const {
    p.plane_blocks([&](int64_t t, int64_t i, int64_t planes) {
      Tensor spectrum = p.complex({planes * p.n1, half});
      p.from_lines(out<T>(spectrum), half, t, i, planes, 1);
      const Tensor back = inverse_real_fft(spectrum, p.n2);
      Tensor rows = rows_of(grid, p.n2, (t * p.n0 + i) * p.n1, planes * p.n1);
      std::memcpy(out<T>(rows), in<T>(back), size_t(planes * p.n1 * p.n2) * sizeof(T));
    });
  }
};

Kept odd_band(int64_t cells, int64_t count) { return {cells, count, count / 2, false}; }

// --- the transforms of complex data ---

template <class T>
struct Transform {
  Planes<T> p;
  Kept first;  // of axis 0
  const T* factors;
  int sign;

  std::vector<T> inner = inner_factors();

  std::vector<T> inner_factors() const {
    const T *f1 = factors + first.count, *f2 = p.solid ? f1 + p.middle.count : f1;
    std::vector<T> product;
    for (int64_t j = 0; j < p.middle.count; ++j)
      for (int64_t k = 0; k < p.last.count; ++k) product.push_back((p.solid ? f1[j] : T(1)) * f2[k]);
    return product;
  }

  void scale(T* z, int64_t l, int64_t rows) const {
    for (int64_t r = 0; r < rows; ++r)
      first.for_each_run([&](int64_t k, int64_t cell, int64_t count) {
        T* at = z + (r * p.n0 + cell) * 2;
        for (int64_t i = 0; i < count; ++i) {
          const T factor = inner[size_t(l + r)] * factors[k + i];
          at[2 * i] *= factor;
          at[2 * i + 1] *= factor;
        }
      });
  }

  void to_modes(const Tensor& grid, T* modes) const {
    p.plane_blocks([&](int64_t t, int64_t i, int64_t planes) {
      const Tensor rows = fft(rows_of(grid, p.n2, (t * p.n0 + i) * p.n1, planes * p.n1), {1}, sign);
      p.to_lines(in<T>(rows), p.n2, t, i, planes, sign);
    });
    p.line_blocks([&](int64_t t, int64_t l, int64_t rows) {
      Tensor spectrum = fft(p.lines_of(t, l, rows), {1}, sign);
      scale(out<T>(spectrum), l, rows);
      first.for_each_run([&](int64_t k, int64_t cell, int64_t count) {
        p.turn(rows, count, in<T>(spectrum) + cell * 2, p.n0, modes_at(modes, t, k, l), p.per_transform);
      });
    });
  }

  void to_grid(T* modes, T* grid) const {
    p.line_blocks([&](int64_t t, int64_t l, int64_t rows) {
      Tensor spectrum = p.complex({rows, p.n0});
      T* z = out<T>(spectrum);
      std::fill_n(z, rows * p.n0 * 2, T(0));
      first.for_each_run([&](int64_t k, int64_t cell, int64_t count) {
        p.turn(count, rows, modes_at(modes, t, k, l), p.per_transform, z + cell * 2, p.n0);
      });
      scale(z, l, rows);
      const Tensor back = fft(spectrum, {1}, sign);
      std::memcpy(p.line_at(t, l), in<T>(back), size_t(rows * p.n0) * 2 * sizeof(T));
    });
    p.plane_blocks([&](int64_t t, int64_t i, int64_t planes) {
      Tensor rows = p.complex({planes * p.n1, p.n2});
      p.from_lines(out<T>(rows), p.n2, t, i, planes, sign);
      rows = fft(rows, {1}, sign);
      std::memcpy(grid + (t * p.n0 + i) * p.n1 * p.n2 * 2, in<T>(rows), size_t(planes * p.n1 * p.n2) * 2 * sizeof(T));
    });
  }

  T* modes_at(T* modes, int64_t t, int64_t k, int64_t l) const {
    return modes + ((t * first.count + k) * p.per_transform + l) * 2;
  }
};

// Of `like`'s precision, from the sizes of the grid and of the modes.
template <class T>
Transform<T> make_transform(const Tensor& like, int64_t transforms, const std::vector<int64_t>& cells,
                            const std::vector<int64_t>& modes, const std::vector<int64_t>& negative, bool centered,
                            const Tensor& factors, int64_t sign) {
  auto kept = [&](size_t a) { return Kept{cells[a], modes[a], negative[a], centered}; };
  const size_t last = cells.size() - 1;
  const Kept middle = last == 2 ? kept(1) : Kept{1, 1, 0, false};
  return {{transforms, cells[0], last == 2 ? cells[1] : 1, cells[last], middle, kept(last), like},
          kept(0),
          in<T>(factors),
          sign < 0 ? -1 : 1};
}

void check_transform(const Tensor& data, const Tensor& factors, const std::vector<int64_t>& cells,
                     const std::vector<int64_t>& modes, const std::vector<int64_t>& negative) {
  const size_t dim = cells.size();
  STD_TORCH_CHECK(dim >= 1 && dim <= 3 && modes.size() == dim && negative.size() == dim,
                  "cells, modes and negative: one number per axis, 1 to 3");
  check_tensor(data, "data", int64_t(dim) + 1);
  STD_TORCH_CHECK(is_complex(data), "data: must be complex");
  for (size_t a = 0; a < dim; ++a)
    STD_TORCH_CHECK(
        cells[a] >= 2 && modes[a] >= 1 && modes[a] <= cells[a] && negative[a] >= 0 && negative[a] <= modes[a],
        "cells and modes: at least 2 cells, and 1 mode, at most as many as cells");
  check_tensor(factors, "factors", 1);
  check_dtype(factors, "factors", is_single(data) ? ScalarType::Float : ScalarType::Double);
  check_size(factors, "factors", 0, std::accumulate(modes.begin(), modes.end(), int64_t(0)));
}

}  // namespace

void weigh_grid(const Grid& g, Tensor& grid, int64_t transforms, const Weighing& by, double* sums, bool wanted) {
  const bool solid = g.dim == 3;
  const int64_t n1 = solid ? g.cells[1] : 1, n2 = g.cells[g.dim - 1];
  by_precision(grid, [&](auto zero) {
    using T = decltype(zero);
    const Kept last{n2 / 2 + 1, by.kept(0), 0, false};
    const Planes<T> planes{transforms, g.cells[0], n1, n2, odd_band(n1, solid ? by.kept(1) : 1), last, grid};
    const LossStep<T> step{planes, grid, by, wanted};
    step.forward();
    step.weigh(sums);
    if (wanted) step.backward();
  });
}

Tensor grid_to_modes(const Tensor& grid, const Tensor& factors, std::vector<int64_t> modes,
                     std::vector<int64_t> negative, bool centered, int64_t sign) {
  const std::vector<int64_t> cells = shape(grid, 1, int(grid.dim()), nullptr, 0);
  check_transform(grid, factors, cells, modes, negative);
  Tensor result = empty(grid, shape(grid, 0, 1, modes.data(), int(modes.size())), grid.scalar_type());
  if (cells.size() == 1) {
    line_to_modes(grid, {cells[0], modes[0], negative[0], centered}, factors, sign < 0 ? -1 : 1, result);
    return result;
  }
  by_precision(grid, [&](auto zero) {
    using T = decltype(zero);
    make_transform<T>(grid, grid.size(0), cells, modes, negative, centered, factors, sign)
        .to_modes(grid, out<T>(result));
  });
  return result;
}

Tensor modes_to_grid(const Tensor& modes, const Tensor& factors, std::vector<int64_t> cells,
                     std::vector<int64_t> negative, bool centered, int64_t sign) {
  const std::vector<int64_t> counts = shape(modes, 1, int(modes.dim()), nullptr, 0);
  check_transform(modes, factors, cells, counts, negative);
  Tensor grid = empty(modes, shape(modes, 0, 1, cells.data(), int(cells.size())), modes.scalar_type());
  if (cells.size() == 1) {
    modes_to_line(modes, {cells[0], counts[0], negative[0], centered}, factors, sign < 0 ? -1 : 1, grid);
    return grid;
  }
  by_precision(modes, [&](auto zero) {
    using T = decltype(zero);
    make_transform<T>(modes, modes.size(0), cells, counts, negative, centered, factors, sign)
        .to_grid(const_cast<T*>(in<T>(modes)), out<T>(grid));
  });
  return grid;
}

}  // namespace fastspec
