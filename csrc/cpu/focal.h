// The focal weight of the loss, |F|^alpha over its maximum, from the fine spectrum itself: F is the spectrum times the
// window's deconvolution, so that one read finds the maximum, and one read and write weighs.
//
// Residuals are real, so that |F(-k)| = |F(k)|. Over the half spectrum both N/2 and -N/2 of an even axis are met, of
// which the grid of modes has only the latter: a wavenumber that it has at k or at -k alone counts half.
#pragma once
#include "parallel.h"
#include "simd.h"

namespace fastspec {

// A line of the half spectrum: non-negative wavenumbers, a gap, negative ones.
template <class T>
struct FocalLine {
  T* z;  // complex
  int64_t cells, positive, negative;
  const T* factors;   // the deconvolution's, squared: of the non-negative wavenumbers, then of the negative ones
  bool even;          // whether the last of the non-negative ones and the first of the negative ones are N/2 and -N/2
  T outer;            // squared deconvolution along the other axes
  bool above, below;  // whether another axis is at N/2, or at -N/2
};

template <class T>
struct FocalPower {
  double exponent;  // of |F|^2: alpha / 2
  T largest;        // |F|^2, not zero
  double scale;
};

namespace FASTSPEC_LEVEL {

template <class T>
struct Focal {
  static constexpr int kLanes = 64 / int(sizeof(T));

  // body(first wavenumber's place, how many, place of its factor, how much they count)
  template <class Body>
  static FASTSPEC_INLINE void for_each_run(const FocalLine<T>& l, Body&& body) {
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

  static T peak(const FocalLine<T>& l) {
    T largest[kLanes] = {};
    for_each_run(l, [&](int64_t first, int64_t count, int64_t factor, T) {
      const T *z = l.z + 2 * first, *f = l.factors + factor;
      in_lanes(count, [&](int64_t i, int lane) {
        const T power = f[i] * (z[2 * i] * z[2 * i] + z[2 * i + 1] * z[2 * i + 1]);
        largest[lane] = power > largest[lane] ? power : largest[lane];
      });
    });
    T most = 0;
    for (T here : largest) most = here > most ? here : most;
    return most * l.outer;
  }

  // z becomes the gradient's, 2 scale weight z; returns the sum of scale weight |F|^2. `weigh` is of |F|^2 over its
  // maximum.
  template <class Weigh>
  static FASTSPEC_INLINE double weighed(const FocalLine<T>& l, const FocalPower<T>& p, Weigh&& weigh) {
    const T inverse = l.outer / p.largest;
    double total = 0;
    for_each_run(l, [&](int64_t first, int64_t count, int64_t factor, T times) {
      T *z = l.z + 2 * first, sums[kLanes] = {};
      const T *f = l.factors + factor, slope = T(2 * p.scale) * times * l.outer;
      in_lanes(count, [&](int64_t i, int lane) {
        const T re = z[2 * i], im = z[2 * i + 1], power = f[i] * (re * re + im * im);
        const T weight = weigh(power * inverse), here = slope * weight * f[i];
        sums[lane] += weight * power;
        z[2 * i] = here * re;
        z[2 * i + 1] = here * im;
      });
      double sum = 0;
      for (T here : sums) sum += double(here);
      total += double(times * l.outer) * sum;
    });
    return p.scale * total;
  }

  // The gap, and what is on the grid of modes neither at k nor at -k.
  static void clear(const FocalLine<T>& l) {
    auto zero = [&](int64_t first, int64_t count) {
      for (int64_t i = 2 * first; i < 2 * (first + count); ++i) l.z[i] = 0;
    };
    zero(l.positive, l.cells - l.positive - l.negative);
    if (l.even && l.below && l.positive > 0) zero(l.positive - 1, 1);
    if (l.even && l.above && l.negative > 0) zero(l.cells - l.negative, 1);
    if (l.above && l.below) zero(0, l.cells);
  }

  static FASTSPEC_INLINE float root(float v) { return __builtin_sqrtf(v); }
  static FASTSPEC_INLINE double root(double v) { return __builtin_sqrt(v); }
  static FASTSPEC_INLINE float raised(float v, float e) { return __builtin_powf(v, e); }
  static FASTSPEC_INLINE double raised(double v, double e) { return __builtin_pow(v, e); }

  static double weigh(const FocalLine<T>& l, const FocalPower<T>& p) {
    clear(l);
    if (p.exponent == 0.5) return weighed(l, p, [](T ratio) { return root(ratio); });
    if (p.exponent == 1) return weighed(l, p, [](T ratio) { return ratio; });
    return weighed(l, p, [e = T(p.exponent)](T ratio) { return raised(ratio, e); });
  }
};

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
