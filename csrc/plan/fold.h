// Products of coordinates with a number of cells or cycles to their unit, that lose nothing: the mode k turns by k
// cycles in a period, so what a rounded coordinate lacks is multiplied by the largest wavenumber.
#pragma once
#include "grid.h"

namespace fastspec {

// A product that is never fused with a sum on a GPU: two kernels must round it alike.
FASTSPEC_BOTH FASTSPEC_INLINE double product(double a, double b) {
#ifdef __CUDA_ARCH__
  return __dmul_rn(a, b);
#else
  return a * b;
#endif
}

// The leading 26 bits, so that the product of two such numbers is exact.
FASTSPEC_BOTH FASTSPEC_INLINE double leading_bits(double v) {
  uint64_t bits;
  __builtin_memcpy(&bits, &v, sizeof bits);
  bits &= ~((uint64_t(1) << 27) - 1);
  __builtin_memcpy(&v, &bits, sizeof v);
  return v;
}

// A factor: its leading 26 bits, and what they lack.
struct Rate {
  double high, low;
};

// The float64 nearest to 2 pi, as a period, stands for 2 pi, so that phases are k.x without rounding.
constexpr double kTau = 6.283185307179586477, kTauLacks = 2.4492935982947064e-16;

// count / period to 79 bits.
inline Rate rate_of(double count, double period) {
  const double high = leading_bits(count / period), leading = leading_bits(period);
  const double rest = (count - leading * high) - (period - leading) * high;
  return {high, (rest - (period == kTau ? kTauLacks * high : 0)) / period};
}

// Cells or turns from the origin beyond which no point has a place in the period: float64 has no fractions there.
constexpr double kFarthest = double(int64_t(1) << 52);

// A coordinate times a rate as the sum of two: `exact` has at most 53 bits and no error, `rest` is 2^-25 of it at most,
// with an error of 2^-78 of it (Dekker 1971, "A floating-point technique for extending the available precision").
struct Scaled {
  double exact, rest;
};

template <class X>
FASTSPEC_BOTH FASTSPEC_INLINE Scaled scaled(X coordinate, Rate rate) {
  const double x = double(coordinate), leading = sizeof(X) == 4 ? x : leading_bits(x);
  return {product(leading, rate.high), product(x - leading, rate.high) + product(x, rate.low)};
}

}  // namespace fastspec
