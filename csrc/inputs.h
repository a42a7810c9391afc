// What the raw ops take, checked to fit together: the same on every device.
#pragma once
#include <vector>

#include "band.h"
#include "check.h"

namespace fastspec {

// The result of the op sort and the window's polynomials, checked to fit together.
struct __attribute__((visibility("hidden"))) SortedPoints {
  Grid grid;
  const Tensor &position, &order, &starts, &polynomials;

  int width() const { return int(polynomials.size(1)); }
};

inline SortedPoints sorted_points(const Tensor& position, const Tensor& order, const Tensor& starts,
                                  const Tensor& polynomials, const std::vector<int64_t>& cells,
                                  const std::vector<int64_t>& tile, bool single) {
  check_tensor(polynomials, "polynomials", 2);
  const Grid g = make_grid(cells, tile, int(polynomials.size(1)));
  check_tensor(position, "position", 3);
  check_tensor(order, "order", 2);
  check_tensor(starts, "starts", 2);
  check_size(position, "position", 2, g.dim);
  check_dtype(position, "position", single ? ScalarType::Int : ScalarType::Long);
  check_dtype(order, "order", ScalarType::Int);
  check_dtype(starts, "starts", ScalarType::Int);
  check_dtype(polynomials, "polynomials", single ? ScalarType::Float : ScalarType::Double);
  check_size(polynomials, "polynomials", 0, window_degree(int(polynomials.size(1))) + 1);
  check_size(order, "order", 0, position.size(0));
  check_size(order, "order", 1, position.size(1));
  check_size(starts, "starts", 0, position.size(0));
  check_size(starts, "starts", 1, g.tile_count() + 1);
  return {g, position, order, starts, polynomials};
}

// Points as the op sort takes them.
inline void check_points(const Tensor& x, const std::vector<double>& period, const Grid& g, int width) {
  check_tensor(x, "x", 3);
  STD_TORCH_CHECK(x.scalar_type() == ScalarType::Float || x.scalar_type() == ScalarType::Double,
                  "x: dtype must be float32 or float64");
  check_size(x, "x", 2, g.dim);
  STD_TORCH_CHECK(period.size() == size_t(g.dim), "period: one number per axis");
  STD_TORCH_CHECK(x.size(1) < (int64_t(1) << 31) && g.tile_count() < (int64_t(1) << 31), "x: at most 2^31 - 1 points");
  for (int d = 0; d < g.dim; ++d) STD_TORCH_CHECK(2 * g.cells[d] >= width, "cells: at least half the window's width");
}

inline Band make_band(const Tensor& fine, std::vector<int64_t> modes, std::vector<int64_t> negative, bool centered) {
  STD_TORCH_CHECK(modes.size() >= 1 && modes.size() <= size_t(kMaxDim) && negative.size() == modes.size() &&
                      fine.dim() == int64_t(modes.size()) + 1,
                  "modes and negative: one number per axis of the spectrum");
  Band b{};
  b.dim = int(modes.size());
  b.centered = centered;
  for (int a = 0; a < b.dim; ++a) {
    b.cells[a] = fine.size(a + 1);
    b.modes[a] = modes[a];
    b.negative[a] = negative[a];
    STD_TORCH_CHECK(modes[a] >= 1 && modes[a] <= b.cells[a] && negative[a] >= 0 && negative[a] <= modes[a],
                    "modes: at least 1, at most the fine spectrum's");
  }
  return b;
}

inline void check_factors(const Tensor& factors, const Tensor& spectrum, const Band& band) {
  STD_TORCH_CHECK(is_complex(spectrum), "spectrum: must be complex");
  check_tensor(factors, "factors", 1);
  check_dtype(factors, "factors", is_single(spectrum) ? ScalarType::Float : ScalarType::Double);
  int64_t total = 0;
  for (int a = 0; a < band.dim; ++a) total += band.modes[a];
  check_size(factors, "factors", 0, total);
}

// A spectrum and its weights as the op weigh takes them; returns their dimensions.
inline int check_weighed(const Tensor& spectrum, const Tensor& weight) {
  const int dim = int(spectrum.dim()) - 1;
  STD_TORCH_CHECK(dim >= 1 && dim <= kMaxDim && is_complex(spectrum), "spectrum: must be complex, of rank 2 to 4");
  check_tensor(spectrum, "spectrum", dim + 1);
  check_tensor(weight, "weight", dim + 1);
  check_dtype(weight, "weight", is_single(spectrum) ? ScalarType::Float : ScalarType::Double);
  STD_TORCH_CHECK(weight.size(0) == 1 || weight.size(0) == spectrum.size(0), "weight: one, or one per transform");
  STD_TORCH_CHECK(weight.size(1) <= spectrum.size(1), "weight: at most the spectrum's rows");
  for (int a = 2; a <= dim; ++a)
    STD_TORCH_CHECK(weight.size(a) % 2 == 1 && weight.size(a) <= spectrum.size(a),
                    "weight: its other axes must be odd and at most the spectrum's");
  return dim;
}

inline bool is_integer(const Tensor& t) {
  return t.scalar_type() == ScalarType::Int || t.scalar_type() == ScalarType::Long;
}

// Lines as the op hadamard takes them.
inline void check_lines(const Tensor& x, double scale) {
  check_tensor(x, "x", 3);
  const int64_t n = x.size(1);
  STD_TORCH_CHECK(n >= 1 && (n & (n - 1)) == 0, "x: size ", n, " at axis 1, must be a power of two");
  if (!is_integer(x)) check_floating(x, "x");
  STD_TORCH_CHECK(!is_integer(x) || scale == 1, "scale: must be 1 for integers");
}

// body(number) with a number of the kind that lines are made of. A complex number is two real ones side by side.
// Integers are added as unsigned ones, which wrap around as torch's do.
template <class Body>
void by_number(const Tensor& t, Body&& body) {
  if (t.scalar_type() == ScalarType::Int)
    body(uint32_t{});
  else if (t.scalar_type() == ScalarType::Long)
    body(uint64_t{});
  else if (is_single(t))
    body(float{});
  else
    body(double{});
}

}  // namespace fastspec
