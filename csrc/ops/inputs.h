// What the raw ops take, checked to fit together: the same on every device.
#pragma once
#include "boxed.h"
#include "tensors.h"

#pragma GCC visibility push(hidden)  // as torch's tensors are

namespace fastspec {

// The result of the op sort and the window's polynomials, as ops take them.
struct SortedPoints {
  Tensor position, order, starts, polynomials;

  static SortedPoints read(Stack& s) {
    return {s.next<Tensor>(), s.next<Tensor>(), s.next<Tensor>(), s.next<Tensor>()};
  }

  int64_t sets() const { return position.size(0); }
  int64_t count() const { return position.size(1); }
  int width() const { return int(polynomials.size(1)); }

  // Of data that go with the points.
  template <class Device, class... Data>
  Device with(const Data&... data) const {
    return Device(data..., position, order, starts, polynomials);
  }

  template <class T>
  Points<T> pointers() const {
    return {static_cast<const typename Fixed<T>::type*>(position.const_data_ptr()), in<int32_t>(order),
            in<int32_t>(starts), sets(), count()};
  }

  // The grid that they are on, all checked to fit together and to data of this precision.
  Grid on(const Ints& cells, const Ints& tile, bool single) const {
    check_tensor(polynomials, "polynomials", 2);
    check_width(int(std::min<int64_t>(polynomials.size(1), kMaxWidth + 1)), single);
    const Grid g = make_grid(cells, tile, width());
    check_tensor(position, "position", 3);
    check_tensor(order, "order", 2);
    check_tensor(starts, "starts", 2);
    check_size(position, "position", 2, g.dim);
    check_dtype(position, "position", single ? ScalarType::Int : ScalarType::Long);
    check_dtype(order, "order", ScalarType::Int);
    check_dtype(starts, "starts", ScalarType::Int);
    check_dtype(polynomials, "polynomials", real_type(single));
    check_size(polynomials, "polynomials", 0, window_degree(width()) + 1);
    check_size(order, "order", 0, sets());
    check_size(order, "order", 1, count());
    check_size(starts, "starts", 0, sets());
    check_size(starts, "starts", 1, g.tile_count() + 1);
    STD_TORCH_CHECK(count() < (int64_t(1) << 31), "position: at most 2^31 - 1 points");
    return g;
  }
};

// Points as the op sort takes them.
inline void check_points(const Tensor& x, const Floats& period, const Grid& g, int width) {
  check_tensor(x, "x", 3);
  check_floating(x, "x");
  STD_TORCH_CHECK(!is_complex(x), "x: dtype must be float32 or float64");
  check_size(x, "x", 2, g.dim);
  STD_TORCH_CHECK(period.size() == size_t(g.dim), "period: one number per axis");
  STD_TORCH_CHECK(x.size(1) < (int64_t(1) << 31) && g.tile_count() < (int64_t(1) << 31), "x: at most 2^31 - 1 points");
  for (int d = 0; d < g.dim; ++d) STD_TORCH_CHECK(2 * g.cells[d] >= width, "cells: at least half the window's width");
}

// The modes of an axis, or several, among `cells`.
inline Band make_band(const Ints& cells, const Ints& modes, const Ints& negative, bool centered) {
  const size_t dim = cells.size();
  STD_TORCH_CHECK(dim >= 1 && dim <= size_t(kMaxDim) && modes.size() == dim && negative.size() == dim,
                  "cells, modes and negative: one number per axis, 1 to 3");
  Band b{};
  b.dim = int(dim);
  b.centered = centered;
  for (size_t a = 0; a < dim; ++a) {
    b.cells[a] = cells[a];
    b.modes[a] = modes[a];
    b.negative[a] = negative[a];
    STD_TORCH_CHECK(modes[a] >= 1 && modes[a] <= cells[a] && negative[a] >= 0 && negative[a] <= modes[a],
                    "modes: at least 1, at most the fine spectrum's");
  }
  return b;
}

// Numbers of each axis' band in turn, of the precision of `like`.
inline void check_factors(const Tensor& factors, const Tensor& like, const Band& band) {
  check_tensor(factors, "factors", 1);
  check_dtype(factors, "factors", real_type(like));
  int64_t total = 0;
  for (int a = 0; a < band.dim; ++a) total += band.modes[a];
  check_size(factors, "factors", 0, total);
}

// What the loss weighs by.
struct WeighedBy {
  Tensor weight;
  double scale;
  Ints modes;  // of the focal rule: the full spectrum's, axes reversed
  int64_t rule;
  double parameter;  // of the focal rule: alpha

  static WeighedBy read(Stack& s) {
    return {s.next<Tensor>(), s.next<double>(), s.next<Ints>(), s.next<int64_t>(), s.next<double>()};
  }

  // For half spectra of these cells, axes reversed, so the halved one first, of the precision of `like`.
  template <class T>
  WeighArgs<T> args(const Tensor& like, const Ints& cells, int64_t transforms) const {
    STD_TORCH_CHECK(cells.size() >= 1 && cells.size() <= size_t(kMaxDim), "spectrum: must be of rank 2 to 4");
    STD_TORCH_CHECK(rule == int64_t(Rule::kTable) || rule == int64_t(Rule::kFocal), "rule: must be one of those known");
    WeighArgs<T> a{};
    a.rule = Rule(rule);
    a.transforms = transforms;
    a.weights = 1;
    a.scale = scale;
    a.exponent = parameter / 2;
    const Ints counts = a.focal() ? focal_counts(cells.size()) : table_counts(like, int64_t(cells.size()), transforms);
    Ints negative;
    for (size_t d = 0; d < cells.size(); ++d) {
      negative.push_back(d == 0 ? 0 : counts[d] / 2);
      a.even[d] = a.focal() && modes[d] % 2 == 0;
      STD_TORCH_CHECK(d == 0 || counts[d] % 2 == 1, "weight: its other axes must be odd");
    }
    a.band = make_band(cells, counts, negative, false);
    if (a.focal())
      check_factors(weight, like, a.band);
    else
      a.weights = weight.size(0);
    a.weight = in<T>(weight);
    return a;
  }

 private:
  Ints focal_counts(size_t dim) const {
    STD_TORCH_CHECK(modes.size() == dim, "modes: one number per axis of the spectrum");
    STD_TORCH_CHECK(parameter >= 0, "alpha: must not be negative");
    Ints counts;
    for (int64_t n : modes) {
      STD_TORCH_CHECK(n >= 1, "modes: at least 1");
      counts.push_back(counts.empty() ? n / 2 + 1 : n | 1);
    }
    return counts;
  }

  Ints table_counts(const Tensor& like, int64_t dim, int64_t transforms) const {
    check_tensor(weight, "weight", dim + 1);
    check_dtype(weight, "weight", real_type(like));
    STD_TORCH_CHECK(weight.size(0) == 1 || (weight.size(0) == transforms && transforms > 0),
                    "weight: one, or one per transform");
    return shape(weight, 1, int(dim + 1));
  }
};

}  // namespace fastspec

#pragma GCC visibility pop
