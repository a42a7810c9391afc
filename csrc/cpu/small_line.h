// The spectrum of a small grid in one dimension by sums, where the set-up of an FFT costs more than all its work. With
// e_j = g_j + g_(n - j) and o_j = g_j - g_(n - j), half as many products do:
//
//     F_k = sum_j e_j cos(2 pi k j / n) - i sum_j o_j sin(2 pi k j / n)        j = 0 ... n / 2
#pragma once
#include "../stages.h"
#include "simd.h"

namespace fastspec {
namespace FASTSPEC_LEVEL {

template <class T>
struct SmallLine {
  static constexpr int kLanes = 64 / int(sizeof(T));
  static constexpr int64_t kHalf = kMostSmallCells / 2 + 1;
  using L = Lanes<T, kLanes>;

  // Sums over j for `Vectors` vectors of wavenumbers from k on.
  template <int Vectors>
  static void analyse(const SmallLineArgs<T>& a, int64_t k, const T* even, const T* odd, T* re, T* im) {
    L c[Vectors], s[Vectors];
    FASTSPEC_UNROLL
    for (int v = 0; v < Vectors; ++v) c[v] = s[v] = L::zero();
    for (int64_t j = 0; j <= a.cells / 2; ++j) {
      const int64_t at = j * a.padded + k;
      FASTSPEC_UNROLL
      for (int v = 0; v < Vectors; ++v) {
        c[v] = c[v].plus(even[j], L::load(a.cosine + at + v * kLanes));
        s[v] = s[v].plus(odd[j], L::load(a.sine + at + v * kLanes));
      }
    }
    FASTSPEC_UNROLL
    for (int v = 0; v < Vectors; ++v) {
      c[v].store(re + k + v * kLanes);
      s[v].store(im + k + v * kLanes);
    }
  }

  static void spectrum(const SmallLineArgs<T>& a, const T* g, T* re, T* im) {
    const int64_t half = a.cells / 2;
    T even[kHalf], odd[kHalf];
    even[0] = g[0];
    even[half] = g[half];
    odd[0] = odd[half] = 0;
    for (int64_t j = 1; j < half; ++j) {
      even[j] = g[j] + g[a.cells - j];
      odd[j] = g[j] - g[a.cells - j];
    }
    int64_t k = 0;
    for (; k + 4 * kLanes <= a.padded; k += 4 * kLanes) analyse<4>(a, k, even, odd, re, im);
    if (k + 2 * kLanes <= a.padded) {
      analyse<2>(a, k, even, odd, re, im);
      k += 2 * kLanes;
    }
    if (k < a.padded) analyse<1>(a, k, even, odd, re, im);
  }

  static void grid(const SmallLineArgs<T>& a, const T* re, const T* im, T* g) {
    for (int64_t j = 0; j <= a.cells / 2; ++j) {
      L c = L::zero(), s = L::zero();
      for (int64_t k = 0; k < a.padded; k += kLanes) {
        c = c.plus(L::load(re + k), L::load(a.cosine + j * a.padded + k));
        s = s.plus(L::load(im + k), L::load(a.sine + j * a.padded + k));
      }
      T even, odd;
      reduce<T, kLanes, 1>(c, &even);
      reduce<T, kLanes, 1>(s, &odd);
      g[j] = even + odd;
      if (j && 2 * j < a.cells) g[a.cells - j] = even - odd;
    }
  }
};

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
