#include "pruned_fft.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "fft.h"
#define FASTSPEC_LEVEL declarations
#include "cpu/kernels.h"
#include "cpu/parallel.h"
#include "cpu/residual.h"
#include "cpu/spectrum.h"

namespace fastspec {
namespace {

constexpr int64_t kBlockBytes = 1 << 18;

// The wavenumbers of an axis that are kept, in FFT order: `count` (odd) of `cells`, with a gap in the middle.
struct Kept {
  int64_t cells, count;
  int64_t positive() const { return count - count / 2; }
  // body(first kept, its place among the cells, how many) for both sides of the gap
  template <class Body>
  void for_each_side(Body&& body) const {
    body(int64_t(0), int64_t(0), positive());
    if (count > 1) body(positive(), cells - count / 2, count / 2);
  }
};

template <class T>
struct Step {
  const Grid& g;
  Tensor& grid;  // (transforms, *cells)
  const Tensor& weight;
  int64_t transforms;
  double scale;
  bool wanted;

  bool solid = g.dim == 3;
  int64_t n0 = g.cells[0], n1 = solid ? g.cells[1] : 1, n2 = g.cells[g.dim - 1];
  int64_t half = n2 / 2 + 1, kept = weight.size(1);
  Kept middle{n1, solid ? weight.size(2) : 1};
  int64_t band = weight.size(g.dim);  // of axis 0
  int64_t per_transform = kept * middle.count;
  Tensor lines = empty(grid, {transforms * per_transform, n0}, complex_type());
  T* line = out<T>(lines);

  static ScalarType complex_type() { return sizeof(T) == 4 ? ScalarType::ComplexFloat : ScalarType::ComplexDouble; }

  Tensor complex(std::vector<int64_t> size) const { return empty(grid, size, complex_type()); }

  static void turn(int64_t rows, int64_t columns, const T* from, int64_t from_stride, T* to, int64_t to_stride) {
    kernels<T>().turn({rows, columns, from, from_stride, to, to_stride});
  }

  // body(transform, first, count) for blocks of `total` equal parts of each transform
  template <class Body>
  void blocks(int64_t total, int64_t bytes_each, Body&& body) const {
    const int64_t size = std::clamp<int64_t>(kBlockBytes / bytes_each, 1, total), count = (total + size - 1) / size;
    parallel(transforms * count, 8.0 * transforms * total * bytes_each, [&](int64_t task) {
      const int64_t first = task % count * size;
      body(task / count, first, std::min(size, total - first));
    });
  }

  // Where the lines of plane i begin, for each (wavenumber of axis 2, of axis 1).
  T* lines_at(int64_t transform, int64_t k, int64_t j, int64_t i) const {
    return line + (((transform * kept + k) * middle.count + j) * n0 + i) * 2;
  }

  Tensor rows_of(int64_t transform, int64_t plane, int64_t planes) const {
    Tensor all = torch::stable::view(grid, {transforms * n0 * n1, n2});
    return torch::stable::narrow(all, 0, (transform * n0 + plane) * n1, planes * n1);
  }

  void forward() const {
    blocks(n0, n1 * n2 * int64_t(sizeof(T)), [&](int64_t t, int64_t i, int64_t planes) {
      const Tensor spectrum = real_fft(rows_of(t, i, planes));  // (planes, n1, half)
      const T* from = in<T>(spectrum);
      if (!solid) return turn(planes, kept, from, half, lines_at(t, 0, 0, i), n0);
      Tensor turned = complex({planes, kept, n1});
      for (int64_t p = 0; p < planes; ++p)
        turn(n1, kept, from + p * n1 * half * 2, half, out<T>(turned) + p * kept * n1 * 2, n1);
      turned = fft(turned, {2}, -1);
      for (int64_t k = 0; k < kept; ++k)
        middle.for_each_side([&](int64_t j, int64_t cell, int64_t count) {
          turn(planes, count, in<T>(turned) + (k * n1 + cell) * 2, kept * n1, lines_at(t, k, j, i), n0);
        });
    });
  }

  void weigh(double* sums) const {
    const int64_t size = std::clamp<int64_t>(kBlockBytes / (n0 * int64_t(sizeof(T)) * 2), 1, per_transform);
    const int64_t count = (per_transform + size - 1) / size;
    std::vector<double> partial(size_t(transforms * count));
    blocks(per_transform, n0 * int64_t(sizeof(T)) * 2, [&](int64_t t, int64_t l, int64_t rows) {
      Tensor all = lines;
      const Tensor block = torch::stable::narrow(all, 0, t * per_transform + l, rows);
      Tensor spectrum = fft(block, {1}, -1);
      WeighArgs<T> a{};
      a.dim = 2;
      a.transforms = 1;
      a.rows = a.last = rows;
      a.once = std::max<int64_t>(middle.count - l, 0);
      a.cells[0] = n0;
      a.band[0] = band;
      a.weight = in<T>(weight) + ((weight.size(0) > 1 ? t * per_transform : 0) + l) * band;
      a.weights = 1;
      a.scale = scale;
      a.spectrum = out<T>(spectrum);
      a.loss = &partial[size_t(t * count + l / size)];
      std::vector<double> work(static_cast<size_t>(rows));
      a.partial = work.data();
      kernels<T>().weigh(a);
      if (!wanted) return;
      const Tensor back = fft(spectrum, {1}, 1);
      std::memcpy(lines_at(t, 0, 0, 0) + l * n0 * 2, in<T>(back), size_t(rows * n0) * 2 * sizeof(T));
    });
    for (int64_t t = 0; t < transforms; ++t)
      sums[t] = std::accumulate(partial.begin() + t * count, partial.begin() + (t + 1) * count, 0.0);
  }

  void backward() const {
    blocks(n0, n1 * n2 * int64_t(sizeof(T)), [&](int64_t t, int64_t i, int64_t planes) {
      Tensor spectrum = complex({planes * n1, half});
      T* to = out<T>(spectrum);
      if (!solid) {
        turn(kept, planes, lines_at(t, 0, 0, i), n0, to, half);
      } else {
        Tensor turned = complex({planes, kept, n1});
        for (int64_t k = 0; k < kept; ++k) {
          for (int64_t p = 0; p < planes; ++p)
            std::fill_n(out<T>(turned) + ((p * kept + k) * n1 + middle.positive()) * 2, (n1 - middle.count) * 2, T(0));
          middle.for_each_side([&](int64_t j, int64_t cell, int64_t count) {
            turn(count, planes, lines_at(t, k, j, i), n0, out<T>(turned) + (k * n1 + cell) * 2, kept * n1);
          });
        }
        turned = fft(turned, {2}, 1);
        for (int64_t p = 0; p < planes; ++p)
          turn(kept, n1, in<T>(turned) + p * kept * n1 * 2, n1, to + p * n1 * half * 2, half);
      }
      for (int64_t r = 0; r < planes * n1; ++r) std::fill_n(to + (r * half + kept) * 2, (half - kept) * 2, T(0));
      const Tensor back = inverse_real_fft(spectrum, n2);
      Tensor rows = rows_of(t, i, planes);
      std::memcpy(out<T>(rows), in<T>(back), size_t(planes * n1 * n2) * sizeof(T));
    });
  }
};

}  // namespace

void weigh_grid(const Grid& g, Tensor& grid, int64_t transforms, const Tensor& weight, double scale, double* sums,
                bool wanted) {
  by_precision(grid, [&](auto zero) {
    const Step<decltype(zero)> step{g, grid, weight, transforms, scale, wanted};
    step.forward();
    step.weigh(sums);
    if (wanted) step.backward();
  });
}

}  // namespace fastspec
