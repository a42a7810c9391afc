// The window's taps in a kernel: their polynomials in shared memory, evaluated by Horner's rule.
#pragma once
#include "../plan/widths.h"
#include "block.h"

namespace fastspec::cuda {

// Four coefficients at a time: the polynomials are filled up with zeros from above.
template <class T>
struct alignas(4 * sizeof(T) > 16 ? 16 : 4 * sizeof(T)) Four {
  T c[4];
};

FASTSPEC_BOTH constexpr int terms_of(int width) { return (window_degree(width) + 4) / 4 * 4; }

// In numbers: (width, terms_of(width)).
FASTSPEC_BOTH constexpr int table_size(int width) { return width * terms_of(width); }

// `polynomials` (window_degree + 1, width), highest power first.
template <class T>
FASTSPEC_FORCE_INLINE void load_table(const T* polynomials, int width, T* table, int thread, int threads) {
  const int terms = terms_of(width), zeros = terms - window_degree(width) - 1;
  for (int i = thread; i < width * terms; i += threads) {
    const int tap = i / terms, p = i % terms - zeros;
    table[i] = p < 0 ? T(0) : polynomials[p * width + tap];
  }
}

// Value of tap `tap` at the offset t, and its slope per cell: t runs over two units as the point moves left by a cell.
template <bool Slope, class T>
FASTSPEC_FORCE_INLINE T tap_at(const T* table, int terms, int tap, T t, T& slope) {
  const Four<T>* row = reinterpret_cast<const Four<T>*>(table + tap * terms);
  T value = 0, rate = 0;
  FASTSPEC_ROLLED  // unrolled, the coefficients would take the registers
      for (int p = 0; p < terms / 4; ++p) {
    const Four<T> four = row[p];
    FASTSPEC_UNROLLED
    for (int i = 0; i < 4; ++i) {
      if constexpr (Slope) rate = rate * t + value;
      value = value * t + four.c[i];
    }
  }
  if constexpr (Slope) slope = T(-2) * rate;
  return value;
}

}  // namespace fastspec::cuda
