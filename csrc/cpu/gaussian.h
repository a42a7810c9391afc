// Gaussian filters of many widths over all pairs of points, in one sweep over the pairs:
//
//     sums_wic = sum_j K_w(i, j) y_jc,   normalisers_wi = sum_j K_w(i, j),   K_w(i, j) = exp(-|x_i - x_j|^2 / (2
//     delta_w))
//
// Lanes run over the points i. A block of distances stays in the L1 cache while all widths meet it. Sums are T's over a
// block and double beyond it.
#pragma once
#include "../stages.h"
#include "elementary.h"
#include "memory.h"
#include "parallel.h"

namespace fastspec {
namespace FASTSPEC_LEVEL {

template <class T>
struct GaussianTile {
  using S = Native<T>;
  using V = typename S::V;
  static constexpr int64_t kLanes = S::kLanes, kPairs = 128;
  static constexpr int kInputs = 8;  // whose distances are summed together, to share loads

  // Numbers of the tile's points, (count, points) transposed to (count, lanes); zero beyond the last point.
  static void pack(const T* from, int64_t count, int64_t first, int64_t points, T* to) {
    for (int64_t lane = 0; lane < kLanes; ++lane)
      for (int64_t c = 0; c < count; ++c)
        to[c * kLanes + lane] = first + lane < points ? from[(first + lane) * count + c] : T(0);
  }

  // Squares of the distances between the tile's points and inputs j ... j + Inputs - 1.
  template <int Inputs>
  static FASTSPEC_INLINE void distances(const T* tile, const T* x, int64_t dim, T* squares) {
    V sum[Inputs];
    FASTSPEC_UNROLL
    for (int p = 0; p < Inputs; ++p) sum[p] = V{};
    for (int64_t a = 0; a < dim; ++a) {
      const V at = S::load(tile + a * kLanes);
      FASTSPEC_UNROLL
      for (int p = 0; p < Inputs; ++p) {
        const V difference = at - x[p * dim + a];
        sum[p] += difference * difference;
      }
    }
    FASTSPEC_UNROLL
    for (int p = 0; p < Inputs; ++p) S::store(sum[p], squares + p * kLanes);
  }

  static void block(const T* tile, const T* x, int64_t dim, int64_t count, T* squares) {
    int64_t j = 0;
    for (; j + kInputs <= count; j += kInputs) distances<kInputs>(tile, x + j * dim, dim, squares + j * kLanes);
    for (; j < count; ++j) distances<1>(tile, x + j * dim, dim, squares + j * kLanes);
  }

  static FASTSPEC_INLINE void add(V value, double* total) {
    for (int64_t l = 0; l < kLanes; ++l) total[l] += double(value[l]);
  }

  static void write(const double* total, int64_t first, int64_t points, int64_t stride, T* to) {
    for (int64_t l = 0; l < kLanes && first + l < points; ++l) to[(first + l) * stride] = T(total[l]);
  }

  // body(first point) for each tile
  template <class Body>
  static void for_each(const GaussianArgs<T>& a, double cost, Body&& body) {
    const int64_t tiles = (a.points + kLanes - 1) / kLanes;
    parallel(tiles, cost * double(a.points) * double(a.points), [&](int64_t tile) { body(tile * kLanes); });
  }
};

template <class T>
struct Gaussian {
  using Tile = GaussianTile<T>;
  using S = Native<T>;
  using V = typename S::V;
  static constexpr int64_t kLanes = S::kLanes, kPairs = Tile::kPairs;
  static constexpr int kTogether = 4;  // channels

  // One width over a block: the kernel's values, their sum, and the sums of the first Channels, whose additions hide
  // behind the exponentials.
  template <int Channels>
  static void meet(const T* squares, T rate, const T* y, int64_t channels, int64_t count, T* values, double* totals) {
    V normaliser{}, sum[Channels + 1];
    FASTSPEC_UNROLL
    for (int c = 0; c < Channels; ++c) sum[c] = V{};
    for (int64_t j = 0; j < count; ++j) {
      const V value = exp2_of_negative<T>(S::load(squares + j * kLanes) * -rate);
      if (Channels == kTogether) S::store(value, values + j * kLanes);
      normaliser += value;
      FASTSPEC_UNROLL
      for (int c = 0; c < Channels; ++c) sum[c] += value * y[j * channels + c];
    }
    Tile::add(normaliser, totals);
    FASTSPEC_UNROLL
    for (int c = 0; c < Channels; ++c) Tile::add(sum[c], totals + (1 + c) * kLanes);
  }

  // Further channels, from the values.
  static void accumulate(const T* values, const T* y, int64_t channels, int64_t count, double* totals) {
    V sum[kTogether];
    FASTSPEC_UNROLL
    for (int c = 0; c < kTogether; ++c) sum[c] = V{};
    for (int64_t j = 0; j < count; ++j) {
      const V value = S::load(values + j * kLanes);
      FASTSPEC_UNROLL
      for (int c = 0; c < kTogether; ++c) sum[c] += value * y[j * channels + c];
    }
    FASTSPEC_UNROLL
    for (int c = 0; c < kTogether; ++c) Tile::add(sum[c], totals + c * kLanes);
  }

  static void one(const T* values, const T* y, int64_t channels, int64_t count, double* totals) {
    V sum{};
    for (int64_t j = 0; j < count; ++j) sum += S::load(values + j * kLanes) * y[j * channels];
    Tile::add(sum, totals);
  }

  static void width(const T* squares, T rate, const T* y, int64_t channels, int64_t count, T* values, double* totals) {
    switch (channels) {
      case 0:
        return meet<0>(squares, rate, y, channels, count, values, totals);
      case 1:
        return meet<1>(squares, rate, y, channels, count, values, totals);
      case 2:
        return meet<2>(squares, rate, y, channels, count, values, totals);
      case 3:
        return meet<3>(squares, rate, y, channels, count, values, totals);
    }
    meet<kTogether>(squares, rate, y, channels, count, values, totals);
    int64_t c = kTogether;
    for (; c + kTogether <= channels; c += kTogether)
      accumulate(values, y + c, channels, count, totals + (1 + c) * kLanes);
    for (; c < channels; ++c) one(values, y + c, channels, count, totals + (1 + c) * kLanes);
  }

  static void tile(const GaussianArgs<T>& a, int64_t first) {
    const int64_t values = 1 + a.channels, all = a.widths * values * kLanes;
    double* totals =
        static_cast<double*>(scratch(size_t(all) * sizeof(double) + size_t(a.dim + 2 * kPairs) * kLanes * sizeof(T)));
    T *x = reinterpret_cast<T*>(totals + all), *squares = x + a.dim * kLanes, *kernel = squares + kPairs * kLanes;
    for (int64_t i = 0; i < all; ++i) totals[i] = 0;
    Tile::pack(a.x, a.dim, first, a.points, x);
    for (int64_t j = 0; j < a.points; j += kPairs) {
      const int64_t count = j + kPairs < a.points ? kPairs : a.points - j;
      Tile::block(x, a.x + j * a.dim, a.dim, count, squares);
      for (int64_t w = 0; w < a.widths; ++w) {
        const T* y = a.y + ((a.sets > 1 ? w * a.points : 0) + j) * a.channels;
        width(squares, T(a.rates[w]), y, a.channels, count, kernel, totals + w * values * kLanes);
      }
    }
    for (int64_t w = 0; w < a.widths; ++w) {
      const double* total = totals + w * values * kLanes;
      Tile::write(total, first, a.points, 1, a.normalisers + w * a.points);
      for (int64_t c = 0; c < a.channels; ++c)
        Tile::write(total + (1 + c) * kLanes, first, a.points, a.channels, a.sums + w * a.points * a.channels + c);
    }
  }

  static void run(const GaussianArgs<T>& a) {
    Tile::for_each(a, double(a.dim) + double(a.widths * (4 + a.channels)), [&](int64_t first) { tile(a, first); });
  }
};

// The gradient in x of L = sum_wic g_wic sums_wic:
//
//     dL/dx_i = sum_j v_ij (x_j - x_i),   v_ij = sum_w K_w(i, j) / delta_w sum_c (g_wic y_jc + g_wjc y_ic)
template <class T>
struct GaussianGradient {
  using Tile = GaussianTile<T>;
  using S = Native<T>;
  using V = typename S::V;
  static constexpr int64_t kLanes = S::kLanes, kPairs = Tile::kPairs;

  struct Space {
    double* totals;
    T *x, *y, *g, *squares, *pairs;
  };

  static Space space(const GaussianArgs<T>& a) {
    const int64_t numbers = a.dim + a.channels + a.widths * a.channels + 2 * kPairs;
    Space s;
    s.totals =
        static_cast<double*>(scratch(size_t(kLanes) * (size_t(a.dim) * sizeof(double) + size_t(numbers) * sizeof(T))));
    s.x = reinterpret_cast<T*>(s.totals + a.dim * kLanes);
    s.y = s.x + a.dim * kLanes;
    s.g = s.y + a.channels * kLanes;
    s.squares = s.g + a.widths * a.channels * kLanes;
    s.pairs = s.squares + kPairs * kLanes;
    return s;
  }

  // Adds one width's part of v.
  static void weigh(const GaussianArgs<T>& a, const Space& s, int64_t w, int64_t j, int64_t count) {
    constexpr double per_log2 = 1.3862943611198906;  // 1 / delta = 2 ln(2) rate
    const T rate = T(a.rates[w]), factor = T(per_log2 * a.rates[w]);
    const T *here = s.g + w * a.channels * kLanes, *g = a.cotangent + (w * a.points + j) * a.channels;
    const T* y = a.y + j * a.channels;
    for (int64_t p = 0; p < count; ++p) {
      V sum{};
      for (int64_t c = 0; c < a.channels; ++c)
        sum += S::load(here + c * kLanes) * y[p * a.channels + c] + S::load(s.y + c * kLanes) * g[p * a.channels + c];
      const V value = exp2_of_negative<T>(S::load(s.squares + p * kLanes) * -rate) * factor;
      S::store(S::load(s.pairs + p * kLanes) + value * sum, s.pairs + p * kLanes);
    }
  }

  static void tile(const GaussianArgs<T>& a, int64_t first) {
    const Space s = space(a);
    for (int64_t i = 0; i < a.dim * kLanes; ++i) s.totals[i] = 0;
    Tile::pack(a.x, a.dim, first, a.points, s.x);
    Tile::pack(a.y, a.channels, first, a.points, s.y);
    for (int64_t w = 0; w < a.widths; ++w)
      Tile::pack(a.cotangent + w * a.points * a.channels, a.channels, first, a.points, s.g + w * a.channels * kLanes);
    for (int64_t j = 0; j < a.points; j += kPairs) {
      const int64_t count = j + kPairs < a.points ? kPairs : a.points - j;
      const T* x = a.x + j * a.dim;
      Tile::block(s.x, x, a.dim, count, s.squares);
      for (int64_t i = 0; i < count * kLanes; ++i) s.pairs[i] = 0;
      for (int64_t w = 0; w < a.widths; ++w) weigh(a, s, w, j, count);
      for (int64_t axis = 0; axis < a.dim; ++axis) {
        const V at = S::load(s.x + axis * kLanes);
        V sum{};
        for (int64_t p = 0; p < count; ++p) sum += S::load(s.pairs + p * kLanes) * (x[p * a.dim + axis] - at);
        Tile::add(sum, s.totals + axis * kLanes);
      }
    }
    for (int64_t axis = 0; axis < a.dim; ++axis)
      Tile::write(s.totals + axis * kLanes, first, a.points, a.dim, a.gradient + axis);
  }

  static void run(const GaussianArgs<T>& a) {
    Tile::for_each(a, double(2 * a.dim + a.widths * (4 + 2 * a.channels)), [&](int64_t first) { tile(a, first); });
  }
};

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
