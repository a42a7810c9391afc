// Sums of exponentials over any points and any frequencies, in any dimension:
//
//     F_bk = sum_j c_bj exp(i sign s_k.x_j)
//
// Lanes run over the outputs k, and the inputs j are met one after the other, four at a time to share loads. A phase is
// a number of cycles, s.x / 2 pi, of which only the fraction matters, so it needs more digits than the exponential: in
// float, phases are summed in double; in double, each product is split so that its whole cycles are dropped exactly:
//
//     s / 2 pi = sh + sl,   x = xh + xl:   sh xh is exact,   sh xl + sl x is small
//
// Sums are T's over kInputBlock inputs and double beyond: the error of a sum is at most (kInputBlock + 8) ulp(1) sum_j
// |c_j|.
#pragma once
#include "../stages.h"
#include "elementary.h"
#include "memory.h"
#include "parallel.h"

namespace fastspec {
namespace FASTSPEC_LEVEL {

// 1 / 2 pi in three parts, the first of 26 bits
constexpr double kInverseCycle = 0.15915494309189535, kInverseCycleHigh = 0.15915494039654732,
                 kInverseCycleRest = -9.839338337591243e-18;

// Phases of inputs and a tile of outputs, in cycles, reduced to [-1/2, 1/2].
template <class T>
struct Phases;

template <>
struct Phases<float> {
  using V = Native<float>::V;
  using D = Native<double>::V;
  static constexpr int kLanes = Native<float>::kLanes;
  static constexpr int kFrom = 1, kTo = 1;  // doubles to a coordinate

  static void pack_input(double x, double* from) { from[0] = x; }
  static void pack_output(double s, double* to) { to[0] = s * kInverseCycle; }

  template <int... I>
  static FASTSPEC_INLINE V narrow(D low, D high, Indices<I...>) {
    using Half = Vector<float, kRegister / 2>::type;
    return __builtin_shufflevector(__builtin_convertvector(low, Half), __builtin_convertvector(high, Half), I...);
  }

  template <int N>
  static FASTSPEC_INLINE void reduced(const double* from, const double* to, int64_t dim, V* r) {
    constexpr int kHalf = kLanes / 2;
    D low[N], high[N];
    FASTSPEC_UNROLL
    for (int p = 0; p < N; ++p) low[p] = high[p] = D{};
    for (int64_t a = 0; a < dim; ++a) {
      const D l = Native<double>::load(to + a * kLanes), h = Native<double>::load(to + a * kLanes + kHalf);
      FASTSPEC_UNROLL
      for (int p = 0; p < N; ++p) {
        low[p] += from[p * dim + a] * l;
        high[p] += from[p * dim + a] * h;
      }
    }
    FASTSPEC_UNROLL
    for (int p = 0; p < N; ++p)
      r[p] = narrow(fraction(low[p], kRounder<double>), fraction(high[p], kRounder<double>),
                    typename Count<kLanes>::type{});
  }
};

template <>
struct Phases<double> {
  using V = Native<double>::V;
  static constexpr int kLanes = Native<double>::kLanes;
  static constexpr int kFrom = 3, kTo = 2;

  static void pack_input(double x, double* from) {
    from[0] = leading_bits(x);
    from[1] = x - from[0];
    from[2] = x;
  }
  static void pack_output(double s, double* to) {
    constexpr double ih = kInverseCycleHigh, il = kInverseCycle - ih;
    const double sh = leading_bits(s), sl = s - sh;
    to[0] = leading_bits(s * kInverseCycle);
    to[kLanes] = (sh * ih - to[0]) + (sh * il + sl * ih) + (sl * il + s * kInverseCycleRest);
  }

  template <int N>
  static FASTSPEC_INLINE void reduced(const double* from, const double* to, int64_t dim, V* r) {
    V small[N];
    FASTSPEC_UNROLL
    for (int p = 0; p < N; ++p) r[p] = small[p] = V{};
    for (int64_t a = 0; a < dim; ++a) {
      const V sh = Native<double>::load(to + 2 * a * kLanes), sl = Native<double>::load(to + (2 * a + 1) * kLanes);
      FASTSPEC_UNROLL
      for (int p = 0; p < N; ++p) {
        const double* x = from + (p * dim + a) * kFrom;
        r[p] += fraction(sh * x[0], kRounder<double>);
        small[p] += sh * x[1] + sl * x[2];
      }
    }
    FASTSPEC_UNROLL
    for (int p = 0; p < N; ++p) r[p] = fraction(r[p] + small[p], kRounder<double>);
  }
};

// Packing, and the walk over tiles of outputs and blocks of inputs, for a Kernel that has
//     values(args)                                   numbers summed for each output, at most args.rows * 2 or dim
//     block(args, tile, first, last, sums)           adds the inputs first ... last - 1 to sums (values, lanes)
template <class T, class Kernel>
struct OverTiles {
  using P = Phases<T>;
  using V = typename P::V;
  static constexpr int64_t kLanes = P::kLanes;
  using Args = ExponentialSumsArgs<T>;

  static int64_t tiles(const Args& a) { return (a.outputs + kLanes - 1) / kLanes; }

  static void pack(const Args& a) {
    const int64_t size = 4096, blocks = (a.inputs * a.dim + size - 1) / size;
    parallel(blocks, 4.0 * a.inputs * a.dim, [&](int64_t block) {
      const int64_t end = (block + 1) * size < a.inputs * a.dim ? (block + 1) * size : a.inputs * a.dim;
      for (int64_t i = block * size; i < end; ++i) P::pack_input(a.x[i], a.from + i * P::kFrom);
    });
    parallel(tiles(a), 4.0 * a.outputs * a.dim, [&](int64_t tile) {
      for (int64_t axis = 0; axis < a.dim; ++axis)
        for (int64_t lane = 0; lane < kLanes; ++lane) {
          const int64_t k = tile * kLanes + lane;
          const double s = k < a.outputs ? a.sign * double(a.s[k * a.dim + axis]) : 0.0;
          P::pack_output(s, a.to + (tile * a.dim + axis) * kLanes * P::kTo + lane);
        }
    });
  }

  static double* totals(const Args& a, int64_t chunk, int64_t tile) {
    return a.totals + (chunk * tiles(a) + tile) * Kernel::values(a) * kLanes;
  }

  // A group of tiles against a chunk of inputs.
  static void group(const Args& a, int64_t first_tile, int64_t last_tile, int64_t chunk) {
    const int64_t values = Kernel::values(a), end = a.chunk_begin(chunk + 1);
    T* sums = static_cast<T*>(scratch(size_t(values * kLanes) * sizeof(T)));
    double* all = totals(a, chunk, first_tile);
    for (int64_t i = 0; i < (last_tile - first_tile) * values * kLanes; ++i) all[i] = 0;
    for (int64_t j = a.chunk_begin(chunk); j < end; j += kInputBlock) {
      if (j / kInputBlock % 64 == 63) poll();
      for (int64_t tile = first_tile; tile < last_tile; ++tile) {
        Kernel::block(a, tile, j, j + kInputBlock < end ? j + kInputBlock : end, sums);
        double* total = totals(a, chunk, tile);
        for (int64_t i = 0; i < values * kLanes; ++i) total[i] += sums[i];
      }
    }
  }

  // finish(value, output, sum over all chunks)
  template <class Finish>
  static void run(const Args& a, double cost, Finish&& finish) {
    pack(a);
    const int64_t count = tiles(a), size = count >= 16 * kTilesPerTask ? kTilesPerTask : 1;
    const int64_t groups = (count + size - 1) / size, values = Kernel::values(a);
    parallel(groups * a.chunks, cost * a.inputs * a.outputs, [&](int64_t task) {
      const int64_t first = task % groups * size;
      group(a, first, first + size < count ? first + size : count, task / groups);
    });
    parallel(count, 1.0 * a.chunks * values * a.outputs, [&](int64_t tile) {
      for (int64_t v = 0; v < values; ++v)
        for (int64_t k = tile * kLanes; k < (tile + 1) * kLanes && k < a.outputs; ++k) {
          double sum = 0;
          for (int64_t c = 0; c < a.chunks; ++c) sum += totals(a, c, tile)[v * kLanes + k % kLanes];
          finish(v, k, sum);
        }
    });
  }
};

template <int N>
struct Constant {
  static constexpr int value = N;
};

// body(first, number of inputs) over first ... last - 1
template <class Body>
FASTSPEC_INLINE void by_fours(int64_t j, int64_t last, Body&& body) {
  for (; j + 4 <= last; j += 4) body(j, Constant<4>{});
  for (; j < last; ++j) body(j, Constant<1>{});
}

// The sum itself; real strengths, or only the real part wanted, leave out what would be lost.
template <class T, bool ComplexIn, bool ComplexOut>
struct ExponentialSum {
  using P = Phases<T>;
  using V = typename P::V;
  using Args = ExponentialSumsArgs<T>;
  static constexpr int64_t kLanes = P::kLanes;
  static constexpr int kIn = ComplexIn ? 2 : 1, kOut = ComplexOut ? 2 : 1;

  static int64_t values(const Args& a) { return a.rows * kOut; }

  static FASTSPEC_INLINE void add(const T* z, V sine, V cosine, V& re, V& im) {
    if constexpr (ComplexIn) {
      re += z[0] * cosine;
      re -= z[1] * sine;
      if constexpr (ComplexOut) {
        im += z[0] * sine;
        im += z[1] * cosine;
      }
    } else {
      re += z[0] * cosine;
      if constexpr (ComplexOut) im += z[0] * sine;
    }
  }

  static void block(const Args& a, int64_t tile, int64_t first, int64_t last, T* sums) {
    const double* to = a.to + tile * a.dim * kLanes * P::kTo;
    if (a.rows == 1) {  // sums in registers
      V re{}, im{};
      by_fours(first, last, [&](int64_t j, auto count) {
        constexpr int n = decltype(count)::value;
        V r[n], sine, cosine;
        P::template reduced<n>(a.from + j * a.dim * P::kFrom, to, a.dim, r);
        FASTSPEC_UNROLL
        for (int p = 0; p < n; ++p) {
          sine_cosine<T>(r[p], sine, cosine);
          add(a.strengths + (j + p) * kIn, sine, cosine, re, im);
        }
      });
      Native<T>::store(re, sums);
      if constexpr (ComplexOut) Native<T>::store(im, sums + kLanes);
      return;
    }
    for (int64_t i = 0; i < values(a) * kLanes; ++i) sums[i] = 0;
    by_fours(first, last, [&](int64_t j, auto count) {
      constexpr int n = decltype(count)::value;
      V r[n], sine[n], cosine[n];
      P::template reduced<n>(a.from + j * a.dim * P::kFrom, to, a.dim, r);
      FASTSPEC_UNROLL
      for (int p = 0; p < n; ++p) sine_cosine<T>(r[p], sine[p], cosine[p]);
      for (int64_t b = 0; b < a.rows; ++b) {
        T* at = sums + b * kOut * kLanes;
        V re = Native<T>::load(at), im{};
        if constexpr (ComplexOut) im = Native<T>::load(at + kLanes);
        FASTSPEC_UNROLL
        for (int p = 0; p < n; ++p) add(a.strengths + (b * a.inputs + j + p) * kIn, sine[p], cosine[p], re, im);
        Native<T>::store(re, at);
        if constexpr (ComplexOut) Native<T>::store(im, at + kLanes);
      }
    });
  }

  static void run(const Args& a) {
    OverTiles<T, ExponentialSum>::run(a, 4.0 + 2.0 * a.rows, [&](int64_t value, int64_t k, double sum) {
      a.sums[(value / kOut * a.outputs + k) * kOut + value % kOut] = T(sum);
    });
  }
};

// The gradient of L = Re sum_bjk conj(g_bk) c_bj exp(i sign s_k.x_j) in the points x_j, which are the outputs here: the
// inputs are the frequencies, with g.
//
//     dL/dx_j = -sign sum_k s_k Im(exp(i sign s_k.x_j) A_jk),   A_jk = sum_b conj(g_bk) c_bj
template <class T, bool ComplexIn, bool ComplexOut>
struct ExponentialGradient {
  using P = Phases<T>;
  using V = typename P::V;
  using Args = ExponentialSumsArgs<T>;
  static constexpr int64_t kLanes = P::kLanes;
  static constexpr int kIn = ComplexIn ? 2 : 1, kOut = ComplexOut ? 2 : 1;

  static int64_t values(const Args& a) { return a.dim; }

  // Adds conj(g) c, whose imaginary part is zero where both are real.
  static FASTSPEC_INLINE void add(const T* g, V re, V im, V& a_re, V& a_im) {
    a_re += g[0] * re;
    if constexpr (ComplexOut) a_im += g[0] * im;
    if constexpr (ComplexIn) a_im -= g[1] * re;
    if constexpr (ComplexIn && ComplexOut) a_re += g[1] * im;
  }

  static void block(const Args& a, int64_t tile, int64_t first, int64_t last, T* sums) {
    const double* to = a.to + tile * a.dim * kLanes * P::kTo;
    const T* packed = a.packed + tile * a.rows * kOut * kLanes;
    for (int64_t i = 0; i < a.dim * kLanes; ++i) sums[i] = 0;
    by_fours(first, last, [&](int64_t j, auto count) {
      constexpr int n = decltype(count)::value;
      V r[n], a_re[n], a_im[n];
      P::template reduced<n>(a.from + j * a.dim * P::kFrom, to, a.dim, r);
      FASTSPEC_UNROLL
      for (int p = 0; p < n; ++p) a_re[p] = a_im[p] = V{};
      for (int64_t b = 0; b < a.rows; ++b) {
        const T* at = packed + b * kOut * kLanes;
        const V re = Native<T>::load(at), im = ComplexOut ? Native<T>::load(at + (kOut - 1) * kLanes) : V{};
        FASTSPEC_UNROLL
        for (int p = 0; p < n; ++p) add(a.strengths + (b * a.inputs + j + p) * kIn, re, im, a_re[p], a_im[p]);
      }
      FASTSPEC_UNROLL
      for (int p = 0; p < n; ++p) {
        V sine, cosine;
        sine_cosine<T>(r[p], sine, cosine);
        a_re[p] = sine * a_re[p];
        if constexpr (ComplexIn || ComplexOut) a_re[p] += cosine * a_im[p];
      }
      for (int64_t axis = 0; axis < a.dim; ++axis) {
        V sum = Native<T>::load(sums + axis * kLanes);
        FASTSPEC_UNROLL
        for (int p = 0; p < n; ++p) sum += a.x[(j + p) * a.dim + axis] * a_re[p];
        Native<T>::store(sum, sums + axis * kLanes);
      }
    });
  }

  static void pack(const Args& a) {
    const int64_t tiles = OverTiles<T, ExponentialGradient>::tiles(a);
    parallel(tiles, 2.0 * a.outputs * a.rows, [&](int64_t tile) {
      for (int64_t b = 0; b < a.rows; ++b)
        for (int part = 0; part < kOut; ++part)
          for (int64_t lane = 0; lane < kLanes; ++lane) {
            const int64_t k = tile * kLanes + lane;
            a.packed[((tile * a.rows + b) * kOut + part) * kLanes + lane] =
                k < a.outputs ? a.spectrum[(b * a.outputs + k) * kOut + part] : T(0);
          }
    });
  }

  static void run(const Args& a) {
    pack(a);
    OverTiles<T, ExponentialGradient>::run(a, 4.0 + 2.0 * a.rows + a.dim, [&](int64_t axis, int64_t k, double sum) {
      a.sums[k * a.dim + axis] = T(-a.sign * sum);
    });
  }
};

template <class T, template <class, bool, bool> class Kernel>
void exponential_by_parts(const ExponentialSumsArgs<T>& a, bool complex_in, bool complex_out) {
  if (complex_in) return complex_out ? Kernel<T, true, true>::run(a) : Kernel<T, true, false>::run(a);
  return complex_out ? Kernel<T, false, true>::run(a) : Kernel<T, false, false>::run(a);
}

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
