// The loss's pass over half spectra between its FFTs: z becomes the gradient's, 2 scale weight z, and scale weight
// |z|^2 is summed. Here are its lines, by either rule; which lines there are is said in weighing.h.
//
// The focal weight, |F|^alpha over its maximum, comes from the fine spectrum itself: F is the spectrum times the
// window's deconvolution, so that one read finds the maximum, and one read and write weighs. Residuals are real, so
// that |F(-k)| = |F(k)|. Over the half spectrum both N/2 and -N/2 of an even axis are met, of which the grid of modes
// has only the latter: a wavenumber that it has at k or at -k alone counts half.
#pragma once
#include "../stages.h"
#include "parallel.h"
#include "small_line.h"

namespace fastspec {
namespace FASTSPEC_LEVEL {

template <class T>
FASTSPEC_INLINE void clear(T* z, int64_t n) {
  for (int64_t i = 0; i < 2 * n; ++i) z[i] = 0;
}

// By a table of weights.
template <class T>
struct Weigh {
  static FASTSPEC_INLINE double in_band(const T* weight, T twice_scale, T* z, int64_t n) {
    T sum = 0;
    for (int64_t i = 0; i < n; ++i) {
      const T re = z[2 * i], im = z[2 * i + 1], w = weight[i], gain = twice_scale * w;
      sum += w * (re * re + im * im);
      z[2 * i] = gain * re;
      z[2 * i + 1] = gain * im;
    }
    return double(sum);
  }

  // The sum without the scale.
  static double along(const WeighLine<T>& l, T twice_scale) {
    double sum = in_band(l.weight, twice_scale, l.z, l.positive);
    clear(l.z + 2 * l.positive, l.cells - l.positive - l.negative);
    return sum + in_band(l.weight + l.positive, twice_scale, l.z + 2 * (l.cells - l.negative), l.negative);
  }

  static double line(const WeighLine<T>& l, double scale) { return scale * along(l, T(2 * scale)); }

  // All of the spectrum at one wavenumber of the halved axis, in 2-D and 3-D. A call of its own: within the loop over
  // rows its lines would share registers with that.
  __attribute__((noinline)) static double row(const WeighArgs<T>& a, const T* weight, T* z) {
    const Band& b = a.band;
    const T twice_scale = T(2 * a.scale);
    const int last = b.dim - 1;
    WeighLine<T> l{z, b.cells[last], b.modes[last] - b.negative[last], b.negative[last], weight};
    if (b.dim == 2) return along(l, twice_scale);
    const int64_t negative = b.negative[1], positive = b.modes[1] - negative, stride = 2 * b.cells[2];
    double sum = 0;
    auto at = [&](int64_t i, int64_t cell) {
      l.z = z + cell * stride;
      l.weight = weight + i * b.modes[2];
      sum += along(l, twice_scale);
    };
    for (int64_t i = 0; i < positive; ++i) at(i, i);
    clear(z + positive * stride, (b.cells[1] - b.modes[1]) * b.cells[2]);
    for (int64_t i = positive; i < b.modes[1]; ++i) at(i, b.cells[1] - b.modes[1] + i);
    return sum;
  }

  static void run(const WeighArgs<T>& a) {
    const int64_t rows = a.band.cells[0], last = a.band.modes[0];
    int64_t cells = 1, band = 1;
    for (int d = 1; d < a.band.dim; ++d) {
      cells *= a.band.cells[d];
      band *= a.band.modes[d];
    }
    // 1-D rows hold one number each: several to a task
    const int64_t group = a.band.dim == 1 ? 4096 : 1, groups = (last + group - 1) / group;
    parallel(a.transforms * groups, 4.0 * a.transforms * last * cells, [&](int64_t task) {
      const int64_t transform = task / groups, first = task % groups * group;
      const int64_t end = first + group < last ? first + group : last;
      const T* weight = a.weight + (a.weights > 1 ? transform * last * band : 0);
      T* spectrum = a.spectrum + transform * rows * cells * 2;
      double sum = 0;
      if (a.band.dim == 1)
        for (int64_t r = first; r < end; ++r)
          sum += (r < 1 ? 1.0 : 2.0) * in_band(weight + r, T(2 * a.scale), spectrum + r * 2, 1);
      else
        for (int64_t r = first; r < end; ++r)
          sum += (r < 1 ? 1.0 : 2.0) * row(a, weight + r * band, spectrum + r * cells * 2);
      a.partial[task] = a.scale * sum;
      if (end == last) clear(spectrum + last * cells * 2, (rows - last) * cells);
    });
    for (int64_t t = 0; t < a.transforms; ++t) {
      a.loss[t] = 0;
      for (int64_t i = 0; i < groups; ++i) a.loss[t] += a.partial[t * groups + i];
    }
  }
};

// By a table, on a small grid and its spectrum's parts apart: the FFTs are sums too.
template <class T>
struct SmallStep {
  static double weigh(const SmallLineArgs<T>& a, const T* weight, T* re, T* im) {
    double sum = 0;
    for (int64_t k = 0; k < a.modes; ++k) {
      const double w = (k ? 2 : 1) * a.scale * weight[k];
      sum += w * (double(re[k]) * re[k] + double(im[k]) * im[k]);
      re[k] *= T(2 * w);
      im[k] *= T(2 * w);
    }
    return sum;
  }

  static void run(const SmallLineArgs<T>& a) {
    parallel(a.transforms, 4.0 * a.transforms * a.cells * a.modes, [&](int64_t t) {
      alignas(64) T re[kMostSmallCells], im[kMostSmallCells];
      T* grid = a.grid + t * a.cells;
      SmallLine<T>::spectrum(a, grid, re, im);
      a.loss[t] = weigh(a, a.weight + (a.weights > 1 ? t * a.modes : 0), re, im);
      SmallLine<T>::grid(a, re, im, grid);
    });
  }
};

template <class T>
struct Focal {
  static constexpr int kLanes = 64 / int(sizeof(T));

  // body(first wavenumber's place, how many, place of its factor, how much they count)
  template <class Body>
  static FASTSPEC_INLINE void for_each_run(const WeighLine<T>& l, Body&& body) {
    auto run = [&](int64_t first, int64_t count, int64_t factor, bool above, bool below) {
      if (count > 0 && !(above && below)) body(first, count, factor, above || below ? T(0.5) : T(1));
    };
    const int64_t high = l.even && l.positive > 0, low = l.even && l.negative > 0, from = l.cells - l.negative;
    run(0, l.positive - high, 0, l.above, l.below);
    run(l.positive - 1, high, l.positive - 1, true, l.below);
    run(from, low, l.positive, l.above, true);
    run(from + low, l.negative - low, l.positive + low, l.above, l.below);
  }

  // step(number, lane) for all numbers, those of a lane in turn
  template <class Step>
  static FASTSPEC_INLINE void in_lanes(int64_t count, Step&& step) {
    int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
      for (int lane = 0; lane < kLanes; ++lane) step(i + lane, lane);
    for (int lane = 0; i < count; ++i, ++lane) step(i, lane);
  }

  static T peak(const WeighLine<T>& l) {
    T largest[kLanes] = {};
    for_each_run(l, [&](int64_t first, int64_t count, int64_t factor, T) {
      const T *z = l.z + 2 * first, *f = l.weight + factor;
      in_lanes(count, [&](int64_t i, int lane) {
        const T power = f[i] * (z[2 * i] * z[2 * i] + z[2 * i + 1] * z[2 * i + 1]);
        largest[lane] = power > largest[lane] ? power : largest[lane];
      });
    });
    T most = 0;
    for (T here : largest) most = here > most ? here : most;
    return most * l.outer;
  }

  // The sum of scale weight |F|^2; `weigh` is of |F|^2 over its maximum.
  template <class Weight>
  static FASTSPEC_INLINE double weighed(const WeighLine<T>& l, double scale, T largest, Weight&& weigh) {
    const T inverse = l.outer / largest;
    double total = 0;
    for_each_run(l, [&](int64_t first, int64_t count, int64_t factor, T times) {
      T *z = l.z + 2 * first, sums[kLanes] = {};
      const T *f = l.weight + factor, gain = T(2 * scale) * times * l.outer;
      in_lanes(count, [&](int64_t i, int lane) {
        const T re = z[2 * i], im = z[2 * i + 1], power = f[i] * (re * re + im * im);
        const T weight = weigh(power * inverse), here = gain * weight * f[i];
        sums[lane] += weight * power;
        z[2 * i] = here * re;
        z[2 * i + 1] = here * im;
      });
      double sum = 0;
      for (T here : sums) sum += double(here);
      total += double(times * l.outer) * sum;
    });
    return scale * total;
  }

  // The gap, and what is on the grid of modes neither at k nor at -k.
  static void clear_others(const WeighLine<T>& l) {
    clear(l.z + 2 * l.positive, l.cells - l.positive - l.negative);
    if (l.even && l.below && l.positive > 0) clear(l.z + 2 * (l.positive - 1), 1);
    if (l.even && l.above && l.negative > 0) clear(l.z + 2 * (l.cells - l.negative), 1);
    if (l.above && l.below) clear(l.z, l.cells);
  }

  static FASTSPEC_INLINE float root(float v) { return __builtin_sqrtf(v); }
  static FASTSPEC_INLINE double root(double v) { return __builtin_sqrt(v); }
  static FASTSPEC_INLINE float raised(float v, float e) { return __builtin_powf(v, e); }
  static FASTSPEC_INLINE double raised(double v, double e) { return __builtin_pow(v, e); }

  // `exponent` of |F|^2 over its maximum, `largest`, which is not zero.
  static double line(const WeighLine<T>& l, double scale, double exponent, T largest) {
    clear_others(l);
    if (exponent == 0.5) return weighed(l, scale, largest, [](T ratio) { return root(ratio); });
    if (exponent == 1) return weighed(l, scale, largest, [](T ratio) { return ratio; });
    return weighed(l, scale, largest, [e = T(exponent)](T ratio) { return raised(ratio, e); });
  }
};

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
