// The loss's pass with the focal weight as an op: what is said of it in fastspec/_ops.py.
#include <torch/csrc/stable/library.h>

#include <algorithm>

#include "ops.h"
#define FASTSPEC_LEVEL declarations
#include "cpu/focal.h"
#include "cpu/kernels.h"
#include "cpu/parallel.h"

namespace fastspec {
namespace {

constexpr int64_t kRun = 4096;  // wavenumbers of a line in 1-D that are a task

// The lines with weights of one transform, z (rows, *cells).
template <class T>
struct FocalLines {
  const FocalBand& band;
  const T* factors;
  int64_t rows;
  int64_t cells[kMaxDim - 1];

  int64_t inner() const { return band.dim == 1 ? 1 : band.dim == 2 ? cells[0] : cells[0] * cells[1]; }
  int64_t count() const {
    if (band.dim == 1) return 1 + (band.count(0) - 1 + kRun - 1) / kRun;
    return band.count(0) * (band.dim == 3 ? band.count(1) : 1);
  }
  // How often the wavenumbers of a line count, for themselves and their negatives.
  double times(int64_t i) const { return (band.dim == 3 ? i / band.count(1) : i) > 0 ? 2 : 1; }

  FocalLine<T> at(T* z, int64_t i) const {
    if (band.dim == 1) return part(z, i);
    if (band.dim == 2) return focal_line(band, factors, z + 2 * i * cells[0], cells[0], i, 0);
    const int64_t k = i / band.count(1), place = i % band.count(1), positive = band.count(1) - band.negative(1);
    const int64_t cell = place < positive ? place : cells[0] - band.count(1) + place;
    return focal_line(band, factors, z + 2 * (k * cells[0] + cell) * cells[1], cells[1], k, place);
  }

  // In 1-D: wavenumber 0, or a run of the others.
  FocalLine<T> part(T* z, int64_t i) const {
    const int64_t all = band.count(0), first = i ? 1 + (i - 1) * kRun : 0, end = i ? std::min(first + kRun, all) : 1;
    return {z + 2 * first, end - first, end - first, 0, factors + first, i && end == all && band.even(0), 1,
            false,         false};
  }

  void clear_others(T* z) const {
    const int64_t all = inner();
    std::fill(z + 2 * band.count(0) * all, z + 2 * rows * all, T(0));
    if (band.dim < 3) return;
    const int64_t positive = band.count(1) - band.negative(1), gap = cells[0] - band.count(1);
    for (int64_t k = 0; k < band.count(0); ++k)
      std::fill_n(z + 2 * (k * all + positive * cells[1]), 2 * gap * cells[1], T(0));
  }
};

}  // namespace

void weigh_focal_in_place(Tensor& spectrum, const FocalBand& band, const Tensor& factors, double scale, double* sums) {
  by_precision(spectrum, [&](auto zero) {
    using T = decltype(zero);
    FocalLines<T> lines{band, in<T>(factors), spectrum.size(1), {}};
    for (int a = 1; a < band.dim; ++a) lines.cells[a - 1] = spectrum.size(a + 1);
    const int64_t count = lines.count(), size = 2 * lines.rows * lines.inner();
    const double work = 4.0 * double(spectrum.size(0)) * double(size);
    std::vector<T> peaks(static_cast<size_t>(count));
    std::vector<double> parts(static_cast<size_t>(count));
    for (int64_t t = 0; t < spectrum.size(0); ++t) {
      T* z = out<T>(spectrum) + t * size;
      parallel(count, work, [&](int64_t i) { peaks[size_t(i)] = kernels<T>().focal_peak(lines.at(z, i)); });
      const T largest = focal_divisor(*std::max_element(peaks.begin(), peaks.end()));
      lines.clear_others(z);
      parallel(count, work, [&](int64_t i) {
        parts[size_t(i)] = lines.times(i) * kernels<T>().focal_weigh(lines.at(z, i), {band.alpha / 2, largest, scale});
      });
      sums[t] = 0;
      for (double part : parts) sums[t] += part;
    }
  });
}

namespace {

Tensor weigh_focal(Tensor spectrum, const Tensor& factors, std::vector<int64_t> modes, double scale, double alpha) {
  const FocalBand band = check_focal(spectrum, factors, modes, alpha);
  Tensor sums = empty(spectrum, {spectrum.size(0)}, ScalarType::Double);
  weigh_focal_in_place(spectrum, band, factors, scale, out<double>(sums));
  return sums;
}

}  // namespace
}  // namespace fastspec

STABLE_TORCH_LIBRARY_FRAGMENT(fastspec, m) {
  m.def("weigh_focal(Tensor(a!) spectrum, Tensor factors, int[] modes, float scale, float alpha) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(fastspec, CPU, m) { m.impl("weigh_focal", TORCH_BOX(&fastspec::weigh_focal)); }
