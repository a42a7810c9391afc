// The focal weight's band of a half spectrum, axes reversed, so the halved one first: which lines of it there are.
#pragma once
#include <vector>

#include "focal_divisor.h"
#include "inputs.h"

namespace fastspec {

template <class T> struct FocalLine;
template <class T> struct FocalPower;

struct FocalBand {
  int dim;
  int64_t modes[kMaxDim];
  double alpha;

  int64_t count(int axis) const { return axis == 0 ? modes[0] / 2 + 1 : modes[axis] | 1; }
  int64_t negative(int axis) const { return axis == 0 ? 0 : modes[axis] / 2; }
  bool even(int axis) const { return modes[axis] % 2 == 0; }
  // Where an axis' factors begin.
  int64_t factors(int axis) const { return axis == 0 ? 0 : factors(axis - 1) + count(axis - 1); }
};

// `cells` of the half spectrum, (rows, *cells).
inline FocalBand focal_band(const Tensor& factors, const std::vector<int64_t>& modes, double alpha,
                            const std::vector<int64_t>& cells, ScalarType dtype) {
  STD_TORCH_CHECK(modes.size() == cells.size() && modes.size() >= 1 && modes.size() <= size_t(kMaxDim),
                  "modes: one number per axis of the spectrum, 1 to 3");
  STD_TORCH_CHECK(alpha >= 0, "alpha: must not be negative");
  FocalBand b{int(modes.size()), {}, alpha};
  for (int a = 0; a < b.dim; ++a) {
    b.modes[a] = modes[a];
    STD_TORCH_CHECK(modes[a] >= 1 && b.count(a) <= cells[a], "modes: at least 1, and their band within the spectrum");
  }
  check_tensor(factors, "factors", 1);
  check_dtype(factors, "factors", dtype);
  check_size(factors, "factors", 0, b.factors(b.dim - 1) + b.count(b.dim - 1));
  return b;
}

// A spectrum as the op weigh_focal takes it.
inline FocalBand check_focal(const Tensor& spectrum, const Tensor& factors, const std::vector<int64_t>& modes,
                             double alpha) {
  const int64_t rank = spectrum.dim();
  STD_TORCH_CHECK(rank >= 2 && rank <= kMaxDim + 1 && is_complex(spectrum),
                  "spectrum: must be complex, of rank 2 to 4");
  check_tensor(spectrum, "spectrum", rank);
  std::vector<int64_t> cells;
  for (int64_t a = 1; a < rank; ++a) cells.push_back(spectrum.size(a));
  return focal_band(factors, modes, alpha, cells, is_single(spectrum) ? ScalarType::Float : ScalarType::Double);
}

// The line at wavenumber k of the halved axis and, in 3-D, at a place of the middle one. Include cpu/focal.h for it.
template <class T>
FocalLine<T> focal_line(const FocalBand& b, const T* factors, T* z, int64_t cells, int64_t k, int64_t place) {
  const int last = b.dim - 1;
  const int64_t half = b.modes[1] / 2;
  const bool middle = b.dim == 3 && b.even(1);
  const T outer = factors[k] * (b.dim == 3 ? factors[b.factors(1) + place] : T(1));
  const bool above = (b.even(0) && k == b.modes[0] / 2) || (middle && place == half);
  return {z,     cells, b.count(last) - b.negative(last), b.negative(last), factors + b.factors(last), b.even(last),
          outer, above, middle && place == half + 1};
}

}  // namespace fastspec
