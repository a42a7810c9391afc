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
// Phases, in cycles, are reduced as in exponential_sums.h. Sums are T's over a block, double beyond.
#pragma once
#include "direct_block.h"

namespace fastspec {
namespace FASTSPEC_LEVEL {

template <class T>
struct Direct {
  using Args = DirectArgs<T>;
  using Block = DirectBlock<T>;
  static constexpr int64_t kChannelsPerTask = 4;

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
    const DirectAxis &axis = a.axis[0], &second = a.axis[1], &third = a.axis[2];
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
    const DirectAxis& axis = a.axis[0];
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
    const DirectAxis& axis = a.axis[0];
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
        const T rate = T(a.axis[along].radians_per_unit * double(a.sign * k)), rotated = -rate * im;
        im = rate * re;
        re = rotated;
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
