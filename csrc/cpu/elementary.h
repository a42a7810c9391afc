// Sine, cosine and exponential of many numbers at once, without branches, by polynomials through Chebyshev nodes.
// Errors in units of 2^-23 (float) and 2^-52 (double), the largest found on millions of arguments: sine and cosine 6.4
// and 5.9, absolute; exp2 0.8 and 0.6, relative.
#pragma once
#include "simd.h"

namespace fastspec {
namespace FASTSPEC_LEVEL {

// One register of the level: these kernels are bound by arithmetic, and have no use for wider vectors cut in pieces.
template <class T>
struct Native {
  static constexpr int kLanes = kRegister / int(sizeof(T));
  using V = typename Vector<T, kRegister>::type;
  using U = typename Vector<T, kRegister>::unaligned;
  using Integers = typename Vector<typename Fixed<T>::integer, kRegister>::type;

  static FASTSPEC_INLINE V load(const T* p) { return *reinterpret_cast<const U*>(p); }
  static FASTSPEC_INLINE void store(V v, T* p) { *reinterpret_cast<U*>(p) = v; }
};

// Added and subtracted again, it rounds to an integer; added only, it leaves that integer in the lowest bits.
template <class T>
constexpr T kRounder = sizeof(T) == 4 ? T(3 << 22) : T(int64_t(3) << 51);

// v - round(v), in [-1/2, 1/2]
template <class V, class T>
FASTSPEC_INLINE V fraction(V v, T rounder) {
  return v - ((v + rounder) - rounder);
}

template <class T, class V, int N>
FASTSPEC_INLINE V polynomial(const T (&coefficients)[N], V u) {
  V sum = V{} + coefficients[0];
  FASTSPEC_UNROLL
  for (int i = 1; i < N; ++i) sum = sum * u + coefficients[i];
  return sum;
}

// Highest power first: sin(pi sqrt(u)) / sqrt(u) and cos(pi sqrt(u)) for u in [0, 1/4], 2^v for v in [-1/2, 1/2].
template <class T>
struct Fits;
template <>
struct Fits<float> {
  static constexpr float sine[] = {0.077655912276f, -0.59829041128f, 2.5500773865f, -5.1677100767f, 3.1415926401f};
  static constexpr float cosine[] = {-0.024395932098f, 0.23493706859f, -1.3352119494f,
                                     4.0587091548f,    -4.9348021369f, 0.99999999978f};
  static constexpr float exp2[] = {
      0.00015461444698f, 0.0013400428178f, 0.0096180566785f, 0.055503272267f, 0.24022650922f, 0.69314720670f, 1.0f};
};
template <>
struct Fits<double> {
  static constexpr double sine[] = {7.6978267682241906454e-7,  -2.1903497074626017191e-5, 4.6629981618983938014e-4,
                                    -7.3704305059169434047e-3, 0.08214588657310289502,    -0.59926452931894468132,
                                    2.5501640398773004745,     -5.1677127800499696077,    3.1415926535897932378};
  static constexpr double cosine[] = {-1.3435212950953200672e-7, 4.3007241727348469251e-6,
                                      -1.0463741681752138305e-4, 1.929574187281234834e-3,
                                      -0.025806891376592964032,  0.23533063035799501991,
                                      -1.3352627688545549643,    4.0587121264167675439,
                                      -4.9348022005446793043,    1.0};
  static constexpr double exp2[] = {2.5733568308756891235e-11,
                                    4.4566753410492078782e-10,
                                    7.0548943863483480445e-9,
                                    1.017805119296064896e-7,
                                    1.3215486815999976975e-6,
                                    1.5252733856293466416e-5,
                                    1.5403530393362755291e-4,
                                    1.3333558146390352775e-3,
                                    9.6181291076284830543e-3,
                                    0.055504108664821698992,
                                    0.24022650695910071228,
                                    0.69314718055994530835,
                                    1.0};
};

// Of 2 pi r for r in [-1/2, 1/2], by the half angle.
template <class T, class V>
FASTSPEC_INLINE void sine_cosine(V r, V& sine, V& cosine) {
  const V u = r * r;
  const V s = polynomial<T>(Fits<T>::sine, u) * r, c = polynomial<T>(Fits<T>::cosine, u);
  const V twice = s + s;
  sine = twice * c;
  cosine = T(1) - twice * s;
}

// 2^v for v <= 0; below the smallest normal number, that number.
template <class T>
FASTSPEC_INLINE typename Native<T>::V exp2_of_negative(typename Native<T>::V v) {
  using Integers = typename Native<T>::Integers;
  constexpr T least = sizeof(T) == 4 ? T(-126) : T(-1022);
  constexpr int mantissa = sizeof(T) == 4 ? 23 : 52;
  v = v > least ? v : typename Native<T>::V{} + least;
  const auto shifted = v + kRounder<T>;
  const auto power = polynomial<T>(Fits<T>::exp2, v - (shifted - kRounder<T>));
  return reinterpret_cast<typename Native<T>::V>(reinterpret_cast<Integers>(power) +
                                                 (reinterpret_cast<Integers>(shifted) << mantissa));
}

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
