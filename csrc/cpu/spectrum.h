// Between the FFT of the fine grid and the modes: deconvolve and crop, its transpose, and the loss's fused pass.
#pragma once
#include "../band.h"
#include "parallel.h"
#include "simd.h"

namespace fastspec {

// Strides are in complex numbers. Both arrays are complex, as pairs of T.
template <class T>
struct DeconvolveArgs {
  Band band;
  int64_t transforms;
  const T* factors;  // per axis, one after the other: modes[0] + modes[1] + ... numbers
  T* fine;
  int64_t fine_stride[kMaxDim + 1];  // of the transform, then of each axis
  T* modes;                          // (transforms, *modes), contiguous
};

template <class T>
struct WeighArgs {
  int dim;
  int64_t transforms;
  int64_t rows;                // of the spectrum, along the axis that is halved: its wavenumbers 0 ... rows - 1
  int64_t last;                // rows that have weights, the first ones
  int64_t once;                // rows that count once in the loss, the first ones: wavenumber 0 of the halved axis
  int64_t cells[kMaxDim - 1];  // fine wavenumbers of the other axes, in FFT order
  int64_t band[kMaxDim - 1];   // weights of the other axes: wavenumbers -(band / 2) ... band / 2, FFT order
  const T* weight;             // (weights, last, *band), weights = 1 or transforms
  int64_t weights;
  double scale;     // of all weights
  T* spectrum;      // (transforms, rows, *cells) complex; becomes the gradient's, 2 * scale * weight * spectrum
  double* loss;     // (transforms): sum of m * scale * weight * |spectrum|^2, m = 1 in the rows `once`, else 2
  double* partial;  // (transforms, last) work space
};

// Complex numbers, distances between rows in complex numbers.
template <class T>
struct TurnArgs {
  int64_t rows, columns;
  const T* from;
  int64_t from_stride;
  T* to;  // (columns, rows)
  int64_t to_stride;
  const T* from_factors;  // of the numbers in `from`, at the same places; null for none
  const T* to_factors;    // of the numbers in `to`
};

// Row r of complex numbers, from 0 up, times exp(i angle (first + r) column).
template <class T>
struct TwiddleArgs {
  int64_t rows, columns, first;
  double angle;
  T* data;
};

namespace FASTSPEC_LEVEL {

// The factors of a row by powers: those of its first kRun columns, and those of every kRun-th column.
template <class T>
struct Twiddle {
  static constexpr int64_t kRun = 32;
  struct Number {
    double re, im;
    Number times(const Number& b) const { return {re * b.re - im * b.im, re * b.im + im * b.re}; }
  };

  static Number turned(double angle) { return {__builtin_cos(angle), __builtin_sin(angle)}; }

  static void row(T* z, int64_t columns, double angle) {
    Number powers[kRun] = {{1, 0}, turned(angle)}, start{1, 0};
    for (int64_t b = 2; b < kRun; ++b) powers[b] = powers[b / 2].times(powers[b - b / 2]);
    T re[kRun], im[kRun];
    for (int64_t b = 0; b < kRun; ++b) {
      re[b] = T(powers[b].re);
      im[b] = T(powers[b].im);
    }
    const Number run = turned(double(kRun) * angle);
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
struct Turn {
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
  static FASTSPEC_INLINE void square(const TurnArgs<T>& a, int64_t r, int64_t c) {
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
  static FASTSPEC_INLINE void part(const TurnArgs<T>& a, int64_t r0, int64_t r1, int64_t c0, int64_t c1) {
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
  static void run_by(const TurnArgs<T>& a) {
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

  static void run(const TurnArgs<T>& a) {
    if (a.from_factors) return run_by<kFrom>(a);
    if (a.to_factors) return run_by<kTo>(a);
    run_by<kNot>(a);
  }
};

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

template <class T>
struct Weigh {
  static FASTSPEC_INLINE double in_band(const T* weight, T twice_scale, T* z, int64_t n) {
    T sum = 0;
    for (int64_t i = 0; i < n; ++i) {
      const T re = z[2 * i], im = z[2 * i + 1], w = weight[i], slope = twice_scale * w;
      sum += w * (re * re + im * im);
      z[2 * i] = slope * re;
      z[2 * i + 1] = slope * im;
    }
    return double(sum);
  }

  static FASTSPEC_INLINE void clear(T* z, int64_t n) {
    for (int64_t i = 0; i < 2 * n; ++i) z[i] = 0;
  }

  // One axis: its non-negative wavenumbers, a gap that is cleared, its negative ones.
  static double line(const T* weight, T twice_scale, T* z, int64_t cells, int64_t band) {
    const int64_t negative = band / 2, positive = band - negative;
    double sum = in_band(weight, twice_scale, z, positive);
    clear(z + 2 * positive, cells - band);
    return sum + in_band(weight + positive, twice_scale, z + 2 * (cells - negative), negative);
  }

  static double row(const WeighArgs<T>& a, const T* weight, T* z) {
    const T twice_scale = T(2 * a.scale);
    if (a.dim == 1) return in_band(weight, twice_scale, z, 1);
    if (a.dim == 2) return line(weight, twice_scale, z, a.cells[0], a.band[0]);
    const int64_t negative = a.band[0] / 2, positive = a.band[0] - negative, stride = 2 * a.cells[1];
    double sum = 0;
    auto at = [&](int64_t i, int64_t cell) {
      sum += line(weight + i * a.band[1], twice_scale, z + cell * stride, a.cells[1], a.band[1]);
    };
    for (int64_t i = 0; i < positive; ++i) at(i, i);
    clear(z + positive * stride, (a.cells[0] - a.band[0]) * a.cells[1]);
    for (int64_t i = positive; i < a.band[0]; ++i) at(i, a.cells[0] - a.band[0] + i);
    return sum;
  }

  static void run(const WeighArgs<T>& a) {
    int64_t cells = 1, band = 1;
    for (int d = 0; d < a.dim - 1; ++d) {
      cells *= a.cells[d];
      band *= a.band[d];
    }
    // 1-D rows hold one number each: several to a task
    const int64_t group = a.dim == 1 ? 4096 : 1, groups = (a.last + group - 1) / group;
    parallel(a.transforms * groups, 4.0 * a.transforms * a.last * cells, [&](int64_t task) {
      const int64_t transform = task / groups, first = task % groups * group;
      const int64_t end = first + group < a.last ? first + group : a.last;
      const T* weight = a.weight + (a.weights > 1 ? transform * a.last * band : 0);
      T* spectrum = a.spectrum + transform * a.rows * cells * 2;
      double sum = 0;
      for (int64_t r = first; r < end; ++r)
        sum += (r < a.once ? 1.0 : 2.0) * row(a, weight + r * band, spectrum + r * cells * 2);
      a.partial[task] = a.scale * sum;
      if (end == a.last) clear(spectrum + a.last * cells * 2, (a.rows - a.last) * cells);
    });
    for (int64_t t = 0; t < a.transforms; ++t) {
      a.loss[t] = 0;
      for (int64_t i = 0; i < groups; ++i) a.loss[t] += a.partial[t * groups + i];
    }
  }
};

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
