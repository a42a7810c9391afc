// The tables and products of direct sums between points and a grid of modes, for a block of points: see direct.h.
#pragma once
#include "exponential_sums.h"

namespace fastspec {
namespace FASTSPEC_LEVEL {

// k theta in cycles, reduced to [-1/2, 1/2], of a register of points: theta is folded, as a head of few bits, whose
// product with a wavenumber is exact, and the rest; of float, all in the head.
template <class T>
FASTSPEC_INLINE typename Native<T>::V cycles_at(double k, const double* head, const double* rest) {
  using D = Native<double>;
  if constexpr (sizeof(T) == 4)
    return Phases<float>::narrow(fraction(k * D::load(head), kRounder<double>),
                                 fraction(k * D::load(head + D::kLanes), kRounder<double>),
                                 typename Count<Native<T>::kLanes>::type{});
  else
    return fraction(fraction(k * D::load(head), kRounder<double>) + k * D::load(rest), kRounder<double>);
}

// `a` where the bit Half of the lane's number is not set, `b` where it is, each lane's sum with the one it lacks.
template <int Half, class V, int... I>
FASTSPEC_INLINE V add_halves(V a, V b, Indices<I...>) {
  constexpr int n = int(sizeof...(I));
  return __builtin_shufflevector(a, b, (I & Half ? n + I - Half : I)...) +
         __builtin_shufflevector(a, b, (I & Half ? n + I : I + Half)...);
}

// The sums over lanes of N vectors, in their order, in the first N / kLanes.
template <class T, int N, int Half = 1>
FASTSPEC_INLINE void sum_lanes(typename Native<T>::V* v) {
  if constexpr (Half < Native<T>::kLanes) {
    FASTSPEC_UNROLL
    for (int i = 0; i < N / 2; ++i)
      v[i] = add_halves<Half>(v[2 * i], v[2 * i + 1], typename Count<Native<T>::kLanes>::type{});
    sum_lanes<T, N / 2, 2 * Half>(v);
  }
}

// Points that share tables: rows of `stride` numbers in scratch memory.
template <class T>
struct DirectBlock {
  using N = Native<T>;
  using V = typename N::V;
  static constexpr int64_t kLanes = N::kLanes;
  static constexpr int kWide = kRegister == 64 ? 4 : 2;  // registers that meet a panel at once
  static constexpr int64_t kStep = kWide * kLanes;       // to whose multiple a block's points are padded
  static constexpr int64_t kMostPoints = 1024 / int64_t(sizeof(T)), kTableBytes = 1 << 17;
  static constexpr int64_t kLongPair = 1 << 18;  // products that take far longer than to ask for an interrupt

  const DirectArgs<T>& a;
  const int64_t rows;  // of the first axis
  int64_t stride;
  int64_t set = 0, first = 0, count = 0, padded = 0;  // the points
  T *first_axis, *second, *third, *shift, *base, *middle, *panel, *sums;
  double *head, *rest;

  explicit DirectBlock(const DirectArgs<T>& args) : a(args), rows(args.axis[0].rows()) {
    const int64_t left_rows = 2 * (a.axis[1].modes / 2 + 1) + 2 * (a.axis[2].modes / 2 + 1);
    stride = kTableBytes / ((rows + left_rows) * int64_t(sizeof(T))) / kStep * kStep;
    stride = stride < kStep ? kStep : stride > kMostPoints ? kMostPoints : stride;
    T* next = static_cast<T*>(scratch(size_t((rows + left_rows + 2 + 2 + 2 + kPanel + 2) * stride) * sizeof(T) +
                                      size_t(2 * stride) * sizeof(double)));
    auto take = [&](int64_t count) { return (next += count * stride) - count * stride; };
    head = reinterpret_cast<double*>(next);
    rest = head + stride;
    next = reinterpret_cast<T*>(rest + stride);
    first_axis = take(rows);
    second = take(2 * (a.axis[1].modes / 2 + 1));
    third = take(2 * (a.axis[2].modes / 2 + 1));
    shift = take(2);
    base = take(2);
    middle = take(2);
    panel = take(kPanel);
    sums = take(2);
  }

  int64_t blocks(int64_t points) const { return (points + stride - 1) / stride; }

  // The coordinates' turns and what these lack, of coordinates as they came.
  template <class X>
  void fold_coordinates(int which) {
    const X* x = static_cast<const X*>(a.x) + (set * a.points + first) * a.dim + a.coordinate(which);
    for (int64_t j = 0; j < count; ++j) head[j] = double(x[j * a.dim]);
    for (int64_t j = count; j < padded; ++j) head[j] = 0;
    const Rate rate = a.axis[which].cycles_per_unit;
    for (int64_t j = 0; j < padded; ++j) {
      const Scaled cycles = scaled(X(head[j]), rate);
      const double most = cycles.exact - __builtin_rint(cycles.exact), more = cycles.rest - __builtin_rint(cycles.rest);
      const double kept = sizeof(T) == 4 ? most + more : leading_bits(most + more);
      head[j] = kept;
      rest[j] = (most - kept) + more;
    }
  }

  void fold_axis(int which) {
    if (a.x_own)
      fold_coordinates<T>(which);
    else
      fold_coordinates<double>(which);
  }

  void exponential(double k, T* cosine, T* sine) const {
    for (int64_t v = 0; v < padded; v += kLanes) {
      V s, c;
      sine_cosine<T>(cycles_at<T>(k, head + v, rest + v), s, c);
      N::store(c, cosine + v);
      N::store(s, sine + v);
    }
  }

  void tabulate(int64_t of_set, int64_t from, int64_t points) {
    set = of_set, first = from, count = points;
    padded = (count + kStep - 1) / kStep * kStep;
    const DirectAxis& axis = a.axis[0];
    fold_axis(0);
    for (int64_t m = 0; m < axis.cosines(); ++m) {
      if (m % 4096 == 4095) poll();
      T* cosine = first_axis + m * stride;
      exponential(double(m) + axis.shift(), cosine,
                  axis.shift() || m ? first_axis + axis.row_of_sine(m) * stride : sums);
    }
    for (int64_t i = (axis.cosines() + axis.sines()) * stride; i < axis.rows() * stride; ++i) first_axis[i] = 0;
    exponential(axis.shift(), shift, shift + stride);
    for (int64_t i = stride; i < 2 * stride; ++i) shift[i] *= T(-a.sign);
    left_axis(1, second);
    left_axis(2, third);
  }

  void left_axis(int which, T* to) {
    if (a.axis[which].modes > 1) fold_axis(which);
    for (int64_t k = 0; a.axis[which].modes > 1 && k <= a.axis[which].modes / 2; ++k)
      exponential(double(k), to + 2 * k * stride, to + (2 * k + 1) * stride);
  }

  // to = from exp(i sign k theta), complex rows
  void rotated(const T* from, int which, int64_t place, T* to) const {
    const DirectAxis& axis = a.axis[which];
    const int64_t k = axis.least() + place;
    const T* table = (which == 1 ? second : third) + 2 * (k < 0 ? -k : k) * stride;
    const T sign = T(k < 0 ? -a.sign : a.sign);
    for (int64_t v = 0; v < padded; v += kLanes) {
      V re = N::load(from + v), im = N::load(from + stride + v);
      if (axis.modes > 1) {
        const V c = N::load(table + v), s = sign * N::load(table + stride + v), real = re * c - im * s;
        im = re * s + im * c;
        re = real;
      }
      N::store(re, to + v);
      N::store(im, to + stride + v);
    }
  }

  // body(pair) with the panel of every pair of l in turn
  template <class Body>
  void panels(Body&& body) {
    const int64_t inner = a.axis[2].count();
    for (int64_t l = 0; l < a.lefts(); ++l) {
      if (l % inner == 0) rotated(base, 1, l / inner, middle);
      rotated(middle, 2, l % inner, panel + l % 2 * 2 * stride);
      if (l % 2 == 0 && l + 1 < a.lefts()) continue;
      if (rows * stride > kLongPair || l % 256 == 1) poll();
      for (int64_t i = 2 * stride; l % 2 == 0 && i < kPanel * stride; ++i) panel[i] = 0;
      body(l / 2);
    }
  }

  // base = c shift
  void strengthen(const T* c) {
    const T *shift_re = shift, *shift_im = shift + stride;
    T *re = base, *im = base + stride;
    if (a.real)
      for (int64_t j = 0; j < count; ++j) {
        re[j] = c[j] * shift_re[j];
        im[j] = c[j] * shift_im[j];
      }
    else
      for (int64_t j = 0; j < count; ++j) {
        re[j] = c[2 * j] * shift_re[j] - c[2 * j + 1] * shift_im[j];
        im[j] = c[2 * j] * shift_im[j] + c[2 * j + 1] * shift_re[j];
      }
    for (int64_t j = count; j < padded; ++j) re[j] = im[j] = 0;
  }

  // Adds the products of the panel with all rows of the first axis.
  void product(double* totals) const {
    for (int64_t row = 0; row < rows; row += kWide, totals += kWide * kPanel) {
      V sum[kWide * kPanel];
      FASTSPEC_UNROLL
      for (int i = 0; i < kWide * kPanel; ++i) sum[i] = V{};
      const T* at = first_axis + row * stride;
      for (int64_t v = 0; v < padded; v += kLanes) {
        V left[kPanel];
        FASTSPEC_UNROLL
        for (int p = 0; p < kPanel; ++p) left[p] = N::load(panel + p * stride + v);
        FASTSPEC_UNROLL
        for (int r = 0; r < kWide; ++r) {
          const V right = N::load(at + r * stride + v);
          FASTSPEC_UNROLL
          for (int p = 0; p < kPanel; ++p) sum[r * kPanel + p] += left[p] * right;
        }
      }
      sum_lanes<T, kWide * kPanel>(sum);
      T numbers[kWide * kPanel];
      FASTSPEC_UNROLL
      for (int i = 0; i < kWide * kPanel / kLanes; ++i) N::store(sum[i], numbers + i * kLanes);
      for (int i = 0; i < kWide * kPanel; ++i) totals[i] += numbers[i];
    }
  }

  // Adds to the sums the panel's part in type 2, packed: numbers of this pair.
  void transposed(const T* packed) const {
    for (int64_t v = 0; v < padded; v += kStep) {
      V sum[kPanel][kWide];
      FASTSPEC_UNROLL
      for (int i = 0; i < kWide * kPanel; ++i) sum[i / kWide][i % kWide] = V{};
      const T *number = packed, *at = first_axis + v;
      for (int64_t row = 0; row < rows; ++row, number += kPanel, at += stride) {
        V right[kWide];
        FASTSPEC_UNROLL
        for (int w = 0; w < kWide; ++w) right[w] = N::load(at + w * kLanes);
        FASTSPEC_UNROLL
        for (int i = 0; i < kWide * kPanel; ++i) sum[i / kWide][i % kWide] += number[i / kWide] * right[i % kWide];
      }
      FASTSPEC_UNROLL
      for (int w = 0; w < kWide; ++w) {
        T* to = sums + v + w * kLanes;
        V left[kPanel];
        FASTSPEC_UNROLL
        for (int p = 0; p < kPanel; ++p) left[p] = N::load(panel + p * stride + v + w * kLanes);
        N::store(N::load(to) + left[0] * sum[0][w] - left[1] * sum[1][w] + left[2] * sum[2][w] - left[3] * sum[3][w],
                 to);
        if (a.real) continue;
        N::store(N::load(to + stride) + left[0] * sum[1][w] + left[1] * sum[0][w] + left[2] * sum[3][w] +
                     left[3] * sum[2][w],
                 to + stride);
      }
    }
  }

  // The sums of type 2 of a packed spectrum.
  void transform(const T* packed) {
    for (int64_t i = 0; i < 2 * stride; ++i) sums[i] = 0;
    panels([&](int64_t pair) { transposed(packed + pair * rows * kPanel); });
  }

  void write(T* values) const {
    for (int64_t j = 0; j < count; ++j) {
      if (a.real) {
        values[j] = sums[j];
      } else {
        values[2 * j] = sums[j];
        values[2 * j + 1] = sums[stride + j];
      }
    }
  }

  // Adds Re(conj(c) slope) to one coordinate of the gradient.
  void differentiate(const T* c, T* gradient) const {
    for (int64_t j = 0; j < count; ++j)
      gradient[j * a.dim] += a.real ? c[j] * sums[j] : c[2 * j] * sums[j] + c[2 * j + 1] * sums[stride + j];
  }
};

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
