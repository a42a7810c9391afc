// Which lines a half spectrum has, and how they are weighed, whatever the rule: for a whole spectrum, and for FFTs that
// have a block of lines at a time.
#pragma once
#include <algorithm>
#include <vector>

#include "levels.h"
#include "parallel.h"

namespace fastspec {

template <class T>
struct Weighing {
  const WeighArgs<T>& a;

  // The line at wavenumber k of the halved axis and, in 3-D, at a place of the middle one, in 2-D and 3-D; at `z`.
  WeighLine<T> line(T* z, int64_t transform, int64_t k, int64_t place) const {
    const Band& b = a.band;
    const int last = b.dim - 1;
    const bool solid = b.dim == 3;
    WeighLine<T> l{z, b.cells[last], b.modes[last] - b.negative[last], b.negative[last], a.weight};
    if (!a.focal()) {
      l.weight +=
          (a.weights > 1 ? transform : 0) * b.mode_count() + (k * (solid ? b.modes[1] : 1) + place) * b.modes[last];
      return l;
    }
    const bool middle = solid && a.even[1];
    l.weight += a.factors(last);
    l.even = a.even[last];
    l.outer = a.weight[k] * (solid ? a.weight[a.factors(1) + place] : T(1));
    l.above = (a.even[0] && k == b.modes[0] - 1) || (middle && place == b.negative[1]);
    l.below = middle && place == b.negative[1] + 1;
    return l;
  }

  // How often the wavenumbers of a line count, for themselves and their negatives.
  static double times(int64_t k) { return k ? 2 : 1; }

  // The line's part in the loss. `largest`: what the focal rule divides by.
  double weigh(const WeighLine<T>& l, T largest) const {
    return a.focal() ? kernels<T>().weigh_focal_line(l, a.scale, a.exponent, largest)
                     : kernels<T>().weigh_line(l, a.scale);
  }
};

// The lines with weights of one transform of a whole spectrum, for the focal rule.
template <class T>
struct FocalLines {
  static constexpr int64_t kRun = 4096;  // wavenumbers of a line in 1-D that are a task
  const WeighArgs<T>& a;
  const Band& b = a.band;

  int64_t inner() const { return b.dim == 1 ? 1 : b.dim == 2 ? b.cells[1] : b.cells[1] * b.cells[2]; }
  int64_t count() const {
    if (b.dim == 1) return 1 + (b.modes[0] - 1 + kRun - 1) / kRun;
    return b.modes[0] * (b.dim == 3 ? b.modes[1] : 1);
  }
  int64_t halved(int64_t i) const { return b.dim == 3 ? i / b.modes[1] : i; }

  WeighLine<T> at(T* z, int64_t i) const {
    if (b.dim == 1) return part(z, i);
    const int64_t k = halved(i), place = b.dim == 3 ? i % b.modes[1] : 0;
    const int64_t row = b.dim == 3 ? k * b.cells[1] + b.fine(1, place) : k;
    return Weighing<T>{a}.line(z + 2 * row * b.cells[b.dim - 1], 0, k, place);
  }

  // In 1-D: wavenumber 0, or a run of the others.
  WeighLine<T> part(T* z, int64_t i) const {
    const int64_t all = b.modes[0], first = i ? 1 + (i - 1) * kRun : 0, end = i ? std::min(first + kRun, all) : 1;
    return {z + 2 * first, end - first, end - first, 0, a.weight + first, i && end == all && a.even[0], 1,
            false,         false};
  }

  void clear_others(T* z) const {
    const int64_t all = inner();
    std::fill(z + 2 * b.modes[0] * all, z + 2 * b.cells[0] * all, T(0));
    if (b.dim < 3) return;
    const int64_t positive = b.modes[1] - b.negative[1], gap = b.cells[1] - b.modes[1];
    for (int64_t k = 0; k < b.modes[0]; ++k)
      std::fill_n(z + 2 * (k * all + positive * b.cells[2]), 2 * gap * b.cells[2], T(0));
  }

  void weigh() const {
    const int64_t lines = count(), size = 2 * b.cells[0] * inner();
    const double work = 4.0 * double(a.transforms) * double(size);
    std::vector<T> peaks(static_cast<size_t>(lines));
    std::vector<double> parts(peaks.size());
    for (int64_t t = 0; t < a.transforms; ++t) {
      T* z = a.spectrum + t * size;
      parallel(lines, work, [&](int64_t i) { peaks[size_t(i)] = kernels<T>().focal_peak(at(z, i)); });
      const T largest = focal_divisor(*std::max_element(peaks.begin(), peaks.end()));
      clear_others(z);
      parallel(lines, work, [&](int64_t i) {
        parts[size_t(i)] = Weighing<T>::times(halved(i)) * Weighing<T>{a}.weigh(at(z, i), largest);
      });
      a.loss[t] = 0;
      for (double part : parts) a.loss[t] += part;
    }
  }
};

// A whole spectrum.
template <class T>
void weigh_spectrum(WeighArgs<T> a) {
  if (a.focal()) return FocalLines<T>{a}.weigh();
  std::vector<double> partial(size_t(a.transforms * a.band.modes[0]));
  a.partial = partial.data();
  kernels<T>().weigh(a);
}

}  // namespace fastspec
