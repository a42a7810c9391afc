// Direct sums between points and a grid of modes, which fall into products of one axis' exponentials each:
//
//     F_k = sum_j c_j exp(i sign k.theta_j) = sum_j A_jl exp(i sign k_0 theta_j0),   l = (k_1, k_2)
//     A_jl = c_j exp(i sign k_1 theta_j1) exp(i sign k_2 theta_j2),                  theta = 2 pi x / period
//
// For a block of points the tables of cosines and sines stay in cache, two rows A_l (their real and imaginary parts, a
// panel) are made from them at a time, and meet all of the first axis as a product of real matrices, lanes over the
// points:
//
//     P_lm = sum_j A_jl cos(kappa_m theta_j0),   Q_lm = sum_j A_jl sin(kappa_m theta_j0),   F at +-kappa = P +- i sign
//     Q
//
// which gives two modes each if wavenumbers come as +-kappa. Those of an even axis, -N/2 ... N/2 - 1, do when shifted
// by a half: kappa = 1/2, 3/2, ..., with exp(-i sign theta_0 / 2) taken into A. Of real strengths the last axis is
// halved, and of a single axis only +kappa is wanted. Type 2 is the same backwards.
//
// Phases, in turns, are reduced as in direct_sum.h. Sums are T's over a block, double beyond.
#pragma once
#include "direct_sum.h"

namespace fastspec {

constexpr int64_t kPanel = 4;  // numbers of two rows A_l; also what the rows of the first axis are padded to

// Wavenumbers of an axis. Tables of the first axis have rows for cosines, then for sines but that of zero.
struct SeparableAxis {
  int64_t modes = 1;
  bool halved = false;                                    // 0 ... N/2 only
  double inverse = 0, inverse_high = 0, inverse_low = 0;  // of the period; its leading 26 bits, and what they lack
  double rate = 0;                                        // 2 pi / period

  int64_t count() const { return halved ? modes / 2 + 1 : modes; }
  int64_t least() const { return halved ? 0 : -(modes / 2); }
  double shift() const { return halved || modes % 2 ? 0 : 0.5; }
  int64_t cosines() const { return shift() ? modes / 2 : modes / 2 + 1; }
  int64_t sines() const { return shift() ? cosines() : cosines() - 1; }
  int64_t rows() const { return (cosines() + sines() + kPanel - 1) / kPanel * kPanel; }
  int64_t row_of_sine(int64_t m) const { return cosines() + m - (shift() ? 0 : 1); }
  int64_t place(int64_t k, bool centered) const {
    return halved ? k : centered ? k + modes / 2 : k < 0 ? k + modes : k;
  }
};

template <class T>
struct SeparableArgs {
  int dim, sign;
  bool real, centered;    // strengths are real, the last axis halved
  SeparableAxis axis[3];  // the first, and those of l: of fewer dimensions some are of one mode
  int64_t stride[3];      // of the modes along these
  int64_t sets, points, channels, chunks;
  const T *x, *strengths, *spectrum;  // (sets, points, dim), real or complex (sets, channels, points), (..., *modes)
  T *modes, *values;                  // what comes of strengths by type 1, and of the spectrum by type 2 if not null
  T* gradient;     // if not null (sets, points, dim), of Re sum_j conj(strengths_j) values_j in the points
  double* totals;  // (sets, channels, chunks, size())
  T* packed;       // (sets, channels, terms(), size())

  int64_t lefts() const { return axis[1].count() * axis[2].count(); }
  // Numbers of one spectrum as products leave and take them: (pairs of l, rows, kPanel).
  int64_t size() const { return (lefts() + 1) / 2 * axis[0].rows() * kPanel; }
  // Of a type 2: slopes along each axis, then values.
  int64_t slopes() const { return gradient ? dim : 0; }
  int64_t terms() const { return slopes() + (values ? 1 : 0); }
  int coordinate(int which) const { return which == 0 ? 0 : which == 2 ? dim - 1 : 1; }
};

// Parts of the points that may be summed at once: fixed, so that sums are too, and few where spectra are large.
inline int64_t separable_chunks(int64_t points, int64_t size) {
  constexpr int64_t least_points = 1024, most = 32, numbers = int64_t(1) << 22;
  int64_t chunks = points / least_points < most ? points / least_points : most;
  if (chunks * size > numbers) chunks = numbers / size;
  return chunks < 1 ? 1 : chunks;
}

namespace FASTSPEC_LEVEL {

// k theta in turns, reduced to [-1/2, 1/2], of a register of points: theta is folded, as a head of few bits, whose
// product with a wavenumber is exact, and the rest; of float, all in the head.
template <class T>
FASTSPEC_INLINE typename Native<T>::V turns_at(double k, const double* head, const double* rest) {
  using D = Native<double>;
  if constexpr (sizeof(T) == 4)
    return Phases<float>::narrow(fraction(k * D::load(head), kRounder<double>),
                                 fraction(k * D::load(head + D::kLanes), kRounder<double>),
                                 typename Count<Native<T>::kLanes>::type{});
  else
    return fraction(fraction(k * D::load(head), kRounder<double>) + k * D::load(rest), kRounder<double>);
}

// The leading 26 bits, as of one number in direct_sum.h.
FASTSPEC_INLINE Native<double>::V leading_bits(Native<double>::V v) {
  using D = Native<double>;
  return reinterpret_cast<D::V>(reinterpret_cast<D::Integers>(v) & ~((int64_t(1) << 27) - 1));
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

template <class T>
struct Separable {
  using Args = SeparableArgs<T>;
  using N = Native<T>;
  using V = typename N::V;
  static constexpr int64_t kLanes = N::kLanes;
  static constexpr int kWide = kRegister == 64 ? 4 : 2;  // registers that meet a panel at once
  static constexpr int64_t kStep = kWide * kLanes;       // to whose multiple a block's points are padded
  static constexpr int64_t kMostPoints = 1024 / int64_t(sizeof(T)), kTableBytes = 1 << 17, kChannelsPerTask = 4;

  // Points that share tables: rows of `stride` numbers in scratch memory.
  struct Block {
    const Args& a;
    int64_t stride, set, first, count;
    T *first_axis, *second, *third, *shift, *base, *middle, *panel, *sums;
    double *head, *rest;

    explicit Block(const Args& args) : a(args) {
      const int64_t rows = a.axis[0].rows() + 2 * (a.axis[1].modes / 2 + 1) + 2 * (a.axis[2].modes / 2 + 1);
      stride = kTableBytes / (rows * int64_t(sizeof(T))) / kStep * kStep;
      stride = stride < kStep ? kStep : stride > kMostPoints ? kMostPoints : stride;
      T* next = static_cast<T*>(
          scratch(size_t((rows + 2 + 2 + 2 + kPanel + 2) * stride) * sizeof(T) + size_t(2 * stride) * sizeof(double)));
      auto take = [&](int64_t count) { return (next += count * stride) - count * stride; };
      head = reinterpret_cast<double*>(next);
      rest = head + stride;
      next = reinterpret_cast<T*>(rest + stride);
      first_axis = take(a.axis[0].rows());
      second = take(2 * (a.axis[1].modes / 2 + 1));
      third = take(2 * (a.axis[2].modes / 2 + 1));
      shift = take(2);
      base = take(2);
      middle = take(2);
      panel = take(kPanel);
      sums = take(2);
    }

    int64_t blocks(int64_t points) const { return (points + stride - 1) / stride; }
    int64_t vectors() const { return (count + kStep - 1) / kStep * kWide; }

    void fold_axis(int which) {
      const T* x = a.x + (set * a.points + first) * a.dim + a.coordinate(which);
      for (int64_t j = 0; j < count; ++j) head[j] = double(x[j * a.dim]);
      for (int64_t j = count; j < vectors() * kLanes; ++j) head[j] = 0;
      using D = Native<double>;
      const SeparableAxis axis = a.axis[which];
      for (int64_t v = 0; v < vectors() * kLanes; v += D::kLanes) {
        const D::V all = D::load(head + v);
        if constexpr (sizeof(T) == 4) {
          D::store(fraction(all * axis.inverse, kRounder<double>), head + v);
        } else {
          const D::V high = leading_bits(all), turns = fraction(high * axis.inverse_high, kRounder<double>);
          const D::V kept = leading_bits(turns);
          D::store(kept, head + v);
          D::store((turns - kept) + ((all - high) * axis.inverse_high + all * axis.inverse_low), rest + v);
        }
      }
    }

    void exponential(double k, T* cosine, T* sine) const {
      for (int64_t v = 0; v < vectors() * kLanes; v += kLanes) {
        V s, c;
        sine_cosine<T>(turns_at<T>(k, head + v, rest + v), s, c);
        N::store(c, cosine + v);
        N::store(s, sine + v);
      }
    }

    void tabulate(int64_t of_set, int64_t from, int64_t points) {
      set = of_set, first = from, count = points;
      const SeparableAxis& axis = a.axis[0];
      fold_axis(0);
      for (int64_t m = 0; m < axis.cosines(); ++m) {
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
    void turned(const T* from, int which, int64_t place, T* to) const {
      const SeparableAxis& axis = a.axis[which];
      const int64_t k = axis.least() + place;
      const T* table = (which == 1 ? second : third) + 2 * (k < 0 ? -k : k) * stride;
      const T sign = T(k < 0 ? -a.sign : a.sign);
      for (int64_t v = 0; v < vectors() * kLanes; v += kLanes) {
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
        if (l % inner == 0) turned(base, 1, l / inner, middle);
        turned(middle, 2, l % inner, panel + l % 2 * 2 * stride);
        if (l % 2 == 0 && l + 1 < a.lefts()) continue;
        for (int64_t i = 2 * stride; l % 2 == 0 && i < kPanel * stride; ++i) panel[i] = 0;
        body(l / 2);
      }
    }

    // base = c shift
    void strengthen(const T* c) {
      const T *turn_re = shift, *turn_im = shift + stride;
      T *re = base, *im = base + stride;
      if (a.real)
        for (int64_t j = 0; j < count; ++j) {
          re[j] = c[j] * turn_re[j];
          im[j] = c[j] * turn_im[j];
        }
      else
        for (int64_t j = 0; j < count; ++j) {
          re[j] = c[2 * j] * turn_re[j] - c[2 * j + 1] * turn_im[j];
          im[j] = c[2 * j] * turn_im[j] + c[2 * j + 1] * turn_re[j];
        }
      for (int64_t j = count; j < vectors() * kLanes; ++j) re[j] = im[j] = 0;
    }

    // Adds the products of the panel with all rows of the first axis.
    void product(double* totals) const {
      for (int64_t row = 0; row < a.axis[0].rows(); row += kWide, totals += kWide * kPanel) {
        V sum[kWide * kPanel];
        FASTSPEC_UNROLL
        for (int i = 0; i < kWide * kPanel; ++i) sum[i] = V{};
        const T* at = first_axis + row * stride;
        for (int64_t v = 0; v < vectors() * kLanes; v += kLanes) {
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
      for (int64_t v = 0; v < vectors() * kLanes; v += kStep) {
        V sum[kPanel][kWide];
        FASTSPEC_UNROLL
        for (int i = 0; i < kWide * kPanel; ++i) sum[i / kWide][i % kWide] = V{};
        for (int64_t row = 0; row < a.axis[0].rows(); ++row) {
          V right[kWide];
          FASTSPEC_UNROLL
          for (int w = 0; w < kWide; ++w) right[w] = N::load(first_axis + row * stride + v + w * kLanes);
          FASTSPEC_UNROLL
          for (int p = 0; p < kPanel; ++p) FASTSPEC_UNROLL
          for (int w = 0; w < kWide; ++w) sum[p][w] += packed[row * kPanel + p] * right[w];
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
      panels([&](int64_t pair) { transposed(packed + pair * a.axis[0].rows() * kPanel); });
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

  static int64_t parts(const Args& a) { return a.real ? 1 : 2; }
  static int64_t spectrum_size(const Args& a) { return a.axis[0].count() * a.lefts(); }
  static double cost(const Args& a) {
    const int64_t products = a.size() * (a.modes ? 1 : a.terms());
    return 0.1 * a.sets * a.channels * a.points * (products + 20 * (a.axis[0].rows() + a.axis[1].modes));
  }

  // body(block, set, first channel, last channel, part) over all tasks
  template <class Body>
  static void tasks(const Args& a, int64_t parts_of_points, Body&& body) {
    const int64_t size = a.gradient ? a.channels : kChannelsPerTask;  // a gradient is a sum over channels
    const int64_t groups = size ? (a.channels + size - 1) / size : 1, each = parts_of_points * groups;
    parallel(a.sets * each, cost(a), [&](int64_t task) {
      Block block(a);
      const int64_t channel = task % groups * size, end = channel + size;
      body(block, task / each, channel, end < a.channels ? end : a.channels, task % each / groups);
    });
  }

  static void type1(const Args& a) {
    const int64_t size = a.size();
    tasks(a, a.chunks, [&](Block& block, int64_t set, int64_t first, int64_t last, int64_t chunk) {
      auto totals = [&](int64_t channel) {
        return a.totals + ((set * a.channels + channel) * a.chunks + chunk) * size;
      };
      for (int64_t channel = first; channel < last; ++channel)
        for (int64_t i = 0; i < size; ++i) totals(channel)[i] = 0;
      const int64_t begin = a.points * chunk / a.chunks, end = a.points * (chunk + 1) / a.chunks;
      for (int64_t j = begin; j < end; j += block.stride) {
        block.tabulate(set, j, j + block.stride < end ? block.stride : end - j);
        for (int64_t channel = first; channel < last; ++channel) {
          block.strengthen(a.strengths + ((set * a.channels + channel) * a.points + j) * parts(a));
          block.panels([&](int64_t pair) { block.product(totals(channel) + pair * a.axis[0].rows() * kPanel); });
        }
      }
    });
    const int64_t spectra = a.sets * a.channels;
    parallel(spectra, 1.0 * spectra * a.chunks * size, [&](int64_t i) { unpack(a, i); });
  }

  struct Mode {
    int64_t m, at;            // which kappa, and the first number of l in the panels
    int64_t plus, minus;      // places of F at +kappa and -kappa in the modes, the latter -1 if there is none
    int64_t k0, k0_of_minus;  // wavenumbers
    int64_t k1, k2;
  };

  // body(mode) over all l and m
  template <class Body>
  static void modes_of(const Args& a, Body&& body) {
    const SeparableAxis &axis = a.axis[0], &second = a.axis[1], &third = a.axis[2];
    for (int64_t l = 0; l < a.lefts(); ++l) {
      Mode mode;
      mode.k1 = second.least() + l / third.count();
      mode.k2 = third.least() + l % third.count();
      mode.at = l / 2 * axis.rows() * kPanel + l % 2 * 2;
      const int64_t place =
          second.place(mode.k1, a.centered) * a.stride[1] + third.place(mode.k2, a.centered) * a.stride[2];
      for (mode.m = 0; mode.m < axis.cosines(); ++mode.m) {
        mode.k0 = mode.m;
        mode.k0_of_minus = axis.shift() ? -mode.m - 1 : -mode.m;
        mode.plus = axis.place(mode.k0, a.centered) * a.stride[0] + place;
        const bool alone = axis.halved || mode.k0 == mode.k0_of_minus;
        mode.minus = alone ? -1 : axis.place(mode.k0_of_minus, a.centered) * a.stride[0] + place;
        body(mode);
      }
    }
  }

  static void unpack(const Args& a, int64_t spectrum) {
    const SeparableAxis& axis = a.axis[0];
    const double* totals = a.totals + spectrum * a.chunks * a.size();
    T* modes = a.modes + 2 * spectrum * spectrum_size(a);
    auto number = [&](int64_t i) {
      double sum = 0;
      for (int64_t c = 0; c < a.chunks; ++c) sum += totals[c * a.size() + i];
      return sum;
    };
    modes_of(a, [&](const Mode& mode) {
      const int64_t cosine = mode.at + mode.m * kPanel, sine = mode.at + axis.row_of_sine(mode.m) * kPanel;
      const bool flat = !axis.shift() && mode.m == 0;
      const double re = number(cosine), im = number(cosine + 1);
      const double q_re = flat ? 0 : a.sign * number(sine), q_im = flat ? 0 : a.sign * number(sine + 1);
      modes[2 * mode.plus] = T(re - q_im);
      modes[2 * mode.plus + 1] = T(im + q_re);
      if (mode.minus < 0) return;
      modes[2 * mode.minus] = T(re + q_im);
      modes[2 * mode.minus + 1] = T(im - q_re);
    });
  }

  // One term of a spectrum: times i sign 2 pi k / period along an axis for its slope, and in the real type 2 times what
  // a mode counts.
  static void pack(const Args& a, int64_t spectrum, int64_t term) {
    const SeparableAxis& axis = a.axis[0];
    const int64_t along = term == a.slopes() ? -1 : term == 0 ? 0 : term == a.dim - 1 ? 2 : 1;
    T* packed = a.packed + (spectrum * a.terms() + term) * a.size();
    const T* modes = a.spectrum + 2 * spectrum * spectrum_size(a);
    for (int64_t i = 0; i < a.size(); ++i) packed[i] = 0;
    modes_of(a, [&](const Mode& mode) {
      const int64_t k_last = a.dim == 1 ? mode.k0 : mode.k2, n_last = a.axis[a.dim == 1 ? 0 : 2].modes;
      const T counts = a.real && k_last != 0 && 2 * k_last != n_last ? 2 : 1;
      auto read = [&](int64_t place, int64_t k0, T& re, T& im) {
        re = counts * modes[2 * place];
        im = counts * modes[2 * place + 1];
        if (along < 0) return;
        const int64_t k = along == 0 ? k0 : along == 1 ? mode.k1 : mode.k2;
        const T rate = T(a.axis[along].rate * double(a.sign * k)), turned = -rate * im;
        im = rate * re;
        re = turned;
      };
      T re, im, back_re = 0, back_im = 0;
      read(mode.plus, mode.k0, re, im);
      if (mode.minus >= 0) read(mode.minus, mode.k0_of_minus, back_re, back_im);
      T* cosine = packed + mode.at + mode.m * kPanel;
      cosine[0] = re + back_re;
      cosine[1] = im + back_im;
      if (!axis.shift() && mode.m == 0) return;
      T* sine = packed + mode.at + axis.row_of_sine(mode.m) * kPanel;
      sine[0] = -a.sign * (im - back_im);
      sine[1] = a.sign * (re - back_re);
    });
  }

  static void type2(const Args& a) {
    const int64_t packs = a.sets * a.channels * a.terms();
    parallel(packs, 2.0 * packs * a.size(), [&](int64_t i) { pack(a, i / a.terms(), i % a.terms()); });
    const int64_t blocks = Block(a).blocks(a.points);
    tasks(a, blocks, [&](Block& block, int64_t set, int64_t first, int64_t last, int64_t part) {
      const int64_t j = part * block.stride, count = j + block.stride < a.points ? block.stride : a.points - j;
      T* gradient = a.gradient ? a.gradient + (set * a.points + j) * a.dim : nullptr;
      for (int64_t i = 0; gradient && i < count * a.dim; ++i) gradient[i] = 0;
      block.tabulate(set, j, count);
      block.base = block.shift;
      for (int64_t channel = first; channel < last; ++channel)
        for (int64_t term = 0; term < a.terms(); ++term) {
          const int64_t row = set * a.channels + channel, at = (row * a.points + j) * parts(a);
          const T* packed = a.packed + (row * a.terms() + term) * a.size();
          block.transform(packed);
          if (term < a.slopes())
            block.differentiate(a.strengths + at, gradient + term);
          else
            block.write(a.values + at);
        }
    });
  }
};

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
