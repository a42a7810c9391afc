// Between the FFT of the fine grid and the modes: deconvolve and crop, and its transpose.
#pragma once
#include "../stages.h"
#include "parallel.h"
#include "simd.h"

namespace fastspec {
namespace FASTSPEC_LEVEL {

template <class T, bool ToModes>
struct Deconvolve {
  template <int Axis>
  static int64_t inner_modes(const DeconvolveArgs<T>& a) {
    int64_t product = 1;
    for (int b = Axis + 1; b < kMaxDim; ++b) product *= b < a.band.dim ? a.band.modes[b] : 1;
    return product;
  }

  // Modes first ... end - 1 of an axis, in at most two runs of consecutive wavenumbers.
  template <int Axis>
  static void copy(const DeconvolveArgs<T>& a, int64_t first, int64_t end, T factor, T* fine, T* modes,
                   const T* factors) {
    while (first < end) {
      const int64_t cell = a.band.fine(Axis, first), edge = edge_after<Axis>(a, first), last = edge < end ? edge : end;
      run<Axis>(a, last - first, factor, fine + cell * a.fine_stride[Axis + 1] * 2,
                modes + first * inner_modes<Axis>(a) * 2, factors + first, factors + a.band.modes[Axis]);
      first = last;
    }
  }

  // Where the run of consecutive wavenumbers that holds mode i ends.
  template <int Axis>
  static int64_t edge_after(const DeconvolveArgs<T>& a, int64_t i) {
    const int64_t n = a.band.modes[Axis], negative = a.band.negative[Axis];
    const int64_t edge = a.band.centered ? negative : n - negative;
    return i < edge ? edge : n;
  }

  template <int Axis>
  static void run(const DeconvolveArgs<T>& a, int64_t n, T factor, T* fine, T* modes, const T* factors,
                  const T* inner_factors) {
    const int64_t stride = a.fine_stride[Axis + 1] * 2;
    if constexpr (Axis + 1 < kMaxDim) {
      if (Axis + 1 < a.band.dim) {
        const int64_t inner = inner_modes<Axis>(a) * 2, all = a.band.modes[Axis + 1];
        for (int64_t i = 0; i < n; ++i)
          copy<Axis + 1>(a, 0, all, factor * factors[i], fine + i * stride, modes + i * inner, inner_factors);
        return;
      }
    }
    if (stride == 2)
      numbers(n, factor, fine, 2, modes, factors);
    else
      numbers(n, factor, fine, stride, modes, factors);
  }

  static FASTSPEC_INLINE void numbers(int64_t n, T factor, T* fine, int64_t stride, T* modes, const T* factors) {
    for (int64_t i = 0; i < n; ++i) {
      const T here = factor * factors[i];
      T *at = fine + i * stride, *mode = modes + i * 2;
      if (ToModes) {
        mode[0] = here * at[0];
        mode[1] = here * at[1];
      } else {
        at[0] = here * mode[0];
        at[1] = here * mode[1];
      }
    }
  }

  static void run(const DeconvolveArgs<T>& a) {
    const int64_t n = a.band.modes[0], inner = inner_modes<0>(a), least = 4096;
    const int64_t size = inner < least ? least / inner : 1, blocks = (n + size - 1) / size;
    parallel(a.transforms * blocks, 8.0 * a.transforms * n * inner, [&](int64_t task) {
      const int64_t transform = task / blocks, first = task % blocks * size, end = first + size < n ? first + size : n;
      copy<0>(a, first, end, T(1), a.fine + transform * a.fine_stride[0] * 2, a.modes + transform * n * inner * 2,
              a.factors);
    });
  }
};

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
