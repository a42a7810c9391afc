// What the FFT of a long line and FFTs by blocks are made of beside FFTs: transposes, and twiddle factors.
#pragma once
#include "../stages.h"
#include "simd.h"

namespace fastspec {
namespace FASTSPEC_LEVEL {

// The factors of a row by powers: those of its first kRun columns, and those of every kRun-th column.
template <class T>
struct Twiddle {
  static constexpr int64_t kRun = 32;
  struct Number {
    double re, im;
    Number times(const Number& b) const { return {re * b.re - im * b.im, re * b.im + im * b.re}; }
  };

  static Number rotation(double angle) { return {__builtin_cos(angle), __builtin_sin(angle)}; }

  static void row(T* z, int64_t columns, double angle) {
    Number powers[kRun] = {{1, 0}, rotation(angle)}, start{1, 0};
    for (int64_t b = 2; b < kRun; ++b) powers[b] = powers[b / 2].times(powers[b - b / 2]);
    T re[kRun], im[kRun];
    for (int64_t b = 0; b < kRun; ++b) {
      re[b] = T(powers[b].re);
      im[b] = T(powers[b].im);
    }
    const Number run = rotation(double(kRun) * angle);
    for (int64_t k = 0; k < columns; k += kRun, start = start.times(run)) {
      const T a = T(start.re), b = T(start.im);
      const int64_t n = columns - k < kRun ? columns - k : kRun;
      for (int64_t i = 0; i < n; ++i) {
        const T c = a * re[i] - b * im[i], s = a * im[i] + b * re[i], x = z[2 * (k + i)], y = z[2 * (k + i) + 1];
        z[2 * (k + i)] = x * c - y * s;
        z[2 * (k + i) + 1] = x * s + y * c;
      }
    }
  }

  static void run(const TwiddleArgs<T>& a) {
    for (int64_t r = 0; r < a.rows; ++r) row(a.data + r * a.columns * 2, a.columns, a.angle * double(a.first + r));
  }
};

// A square of numbers, one vector to a row, is transposed by exchanging ever larger squares across its diagonal.
template <class Row, int N>
struct Square {
  Row row[N];

  template <int Size, int... I>
  static FASTSPEC_INLINE void exchange(Row& a, Row& b, Indices<I...>) {
    const Row first = __builtin_shufflevector(a, b, (I & Size ? N + I - Size : I)...);
    b = __builtin_shufflevector(a, b, (I & Size ? N + I : I + Size)...);
    a = first;
  }
  template <int Size = 1>
  FASTSPEC_INLINE void transpose() {
    FASTSPEC_UNROLL
    for (int i = 0; i < N; ++i)
      if (!(i & Size)) exchange<Size>(row[i], row[i + Size], typename Count<N>::type{});
    if constexpr (2 * Size < N) transpose<2 * Size>();
  }
};

constexpr int kSquare = kRegister / 8;

// Transposes complex numbers by squares; those of float in registers, each number as one double. Squares follow one
// another along the shorter side, for there lie the numbers that are near each other in the larger of the two arrays;
// what comes after is fetched beforehand, since processors expect no such distances.
template <class T>
struct Transpose {
  typedef T Number __attribute__((vector_size(2 * sizeof(T)), aligned(alignof(T)), may_alias));
  static constexpr int64_t kSide = sizeof(T) == 4 ? kSquare : 8;
  enum Scaled { kNot, kFrom, kTo };

  using L = Lanes<double, kSquare>;
  using Row = typename L::V;
  using U = typename Vector<double, 8 * kSquare>::unaligned;

  template <int... I>
  static FASTSPEC_INLINE Row scaled(const Row& row, const float* factors, Indices<I...>) {
    using Pairs = typename Vector<float, 8 * kSquare>::type;
    const auto f = *reinterpret_cast<const typename Vector<float, 4 * kSquare>::unaligned*>(factors);
    return Row(Pairs(row) * __builtin_shufflevector(f, f, (I / 2)...));
  }

  template <Scaled By>
  static FASTSPEC_INLINE void square(const TransposeArgs<T>& a, int64_t r, int64_t c) {
    if constexpr (sizeof(T) == 4) {
      constexpr typename Count<2 * kSquare>::type lanes{};
      Square<Row, kSquare> square;
      FASTSPEC_UNROLL
      for (int i = 0; i < kSide; ++i) {
        const int64_t place = (r + i) * a.from_stride + c;
        square.row[i] = *reinterpret_cast<const U*>(a.from + place * 2);
        if constexpr (By == kFrom) square.row[i] = scaled(square.row[i], a.from_factors + place, lanes);
      }
      square.transpose();
      FASTSPEC_UNROLL
      for (int i = 0; i < kSide; ++i) {
        const int64_t place = (c + i) * a.to_stride + r;
        if constexpr (By == kTo) square.row[i] = scaled(square.row[i], a.to_factors + place, lanes);
        *reinterpret_cast<U*>(a.to + place * 2) = square.row[i];
      }
    } else {
      part<By>(a, r, r + kSide, c, c + kSide);
    }
  }

  template <Scaled By>
  static FASTSPEC_INLINE void part(const TransposeArgs<T>& a, int64_t r0, int64_t r1, int64_t c0, int64_t c1) {
    const Number* from = reinterpret_cast<const Number*>(a.from);
    Number* to = reinterpret_cast<Number*>(a.to);
    for (int64_t c = c0; c < c1; ++c)
      for (int64_t r = r0; r < r1; ++r) {
        const int64_t here = r * a.from_stride + c, there = c * a.to_stride + r;
        to[there] = By == kFrom ? from[here] * a.from_factors[here]
                    : By == kTo ? from[here] * a.to_factors[there]
                                : from[here];
      }
  }

  template <Scaled By>
  static void run_by(const TransposeArgs<T>& a) {
    const int64_t rows = a.rows / kSide * kSide, columns = a.columns / kSide * kSide;
    if (rows > columns) {
      for (int64_t r = 0; r < rows; r += kSide)
        for (int64_t c = 0; c < columns; c += kSide) {
          for (int i = 0; i < kSide && r + kSide < rows; ++i)
            __builtin_prefetch(a.from + ((r + kSide + i) * a.from_stride + c) * 2);
          square<By>(a, r, c);
        }
    } else {
      for (int64_t c = 0; c < columns; c += kSide)
        for (int64_t r = 0; r < rows; r += kSide) {
          for (int i = 0; i < kSide && c + kSide < columns; ++i)
            __builtin_prefetch(a.to + ((c + kSide + i) * a.to_stride + r) * 2, 1);
          square<By>(a, r, c);
        }
    }
    part<By>(a, 0, rows, columns, a.columns);
    part<By>(a, rows, a.rows, 0, a.columns);
  }

  static void run(const TransposeArgs<T>& a) {
    if (a.from_factors) return run_by<kFrom>(a);
    if (a.to_factors) return run_by<kTo>(a);
    run_by<kNot>(a);
  }
};

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
