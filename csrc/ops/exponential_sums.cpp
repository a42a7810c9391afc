// Sums of exponentials over any points and frequencies as ops: what is said of them in fastspec's ops.py.
#include <algorithm>
#include <cmath>

#include "../cpu/levels.h"
#include "boxed.h"
#include "tensors.h"

namespace fastspec {
namespace {

void check_coordinates(const Tensor& t, const char* name, const Tensor& like) {
  check_tensor(t, name, 2);
  check_dtype(t, name, real_type(like));
  by_precision(like, [&](auto zero) {
    using T = decltype(zero);
    STD_TORCH_CHECK(is_finite(in<T>(t), t.numel()), name, ": has non-finite numbers, must be finite");
  });
}

template <class T>
double largest(const T* numbers, int64_t count, int64_t stride) {
  double most = 0;
  for (int64_t i = 0; i < count; ++i) most = std::max(most, std::fabs(double(numbers[i * stride])));
  return most;
}

// Of phases, which are sums of products of coordinates: whole turns are taken from float64 numbers that have fractions.
template <class T>
void check_phases(const Tensor& points, const Tensor& frequencies) {
  const int64_t dim = points.size(1);
  double most = 0;
  for (int64_t d = 0; d < dim && points.numel() > 0 && frequencies.numel() > 0; ++d)
    most += largest(in<T>(points) + d, points.size(0), dim) * largest(in<T>(frequencies) + d, frequencies.size(0), dim);
  STD_TORCH_CHECK(most < kFarthest * kTau, "points: has non-finite products with frequencies, or too large ones");
}

void check_sum(const Tensor& points, const Tensor& strengths, const Tensor& frequencies, int64_t sign) {
  check_floating(strengths, "strengths");
  check_tensor(strengths, "strengths", 2);
  check_coordinates(points, "points", strengths);
  check_coordinates(frequencies, "frequencies", strengths);
  check_size(strengths, "strengths", 1, points.size(0));
  check_size(frequencies, "frequencies", 1, points.size(1));
  by_precision(points, [&](auto zero) { check_phases<decltype(zero)>(points, frequencies); });
  STD_TORCH_CHECK(sign == 1 || sign == -1, "sign: must be -1 or +1");
}

// Fills in the work space and runs body(args) while it is there.
template <class T, class Body>
void with_space(ExponentialSumsArgs<T> a, int64_t values, Body&& body) {
  a.chunks = exponential_chunks(a.inputs, a.outputs);
  const ExponentialSumsSpace space = exponential_space(a.inputs, a.outputs, a.dim, values, a.chunks);
  const auto from = uninitialised<double>({space.from}), to = uninitialised<double>({space.to});
  const auto totals = uninitialised<double>({space.totals});
  a.from = from.get();
  a.to = to.get();
  a.totals = totals.get();
  body(a);
}

Tensor sums_of(const Tensor& points, const Tensor& strengths, const Tensor& frequencies, int64_t sign,
               bool complex_out) {
  check_sum(points, strengths, frequencies, sign);
  const int64_t rows = strengths.size(0);
  Tensor result =
      empty(strengths, {rows, frequencies.size(0)}, complex_out ? complex_type(strengths) : real_type(strengths));
  by_precision(strengths, [&](auto zero) {
    using T = decltype(zero);
    ExponentialSumsArgs<T> a{};
    a.inputs = points.size(0);
    a.outputs = frequencies.size(0);
    a.dim = points.size(1);
    a.rows = rows;
    a.x = in<T>(points);
    a.s = in<T>(frequencies);
    a.sign = int(sign);
    a.strengths = in<T>(strengths);
    a.sums = out<T>(result);
    with_space(a, 2 * rows,
               [&](const auto& args) { kernels<T>().exponential_sums(args, is_complex(strengths), complex_out); });
  });
  return result;
}

Tensor exponential_sums(const Tensor& points, const Tensor& strengths, const Tensor& frequencies, int64_t sign) {
  return sums_of(points, strengths, frequencies, sign, true);
}

Tensor exponential_sums_real(const Tensor& points, const Tensor& strengths, const Tensor& frequencies, int64_t sign) {
  return sums_of(points, strengths, frequencies, sign, false);
}

Tensor exponential_sums_gradient(const Tensor& points, const Tensor& strengths, const Tensor& frequencies,
                                 const Tensor& gradient, int64_t sign) {
  check_sum(points, strengths, frequencies, sign);
  check_floating(gradient, "gradient");
  check_tensor(gradient, "gradient", 2);
  check_size(gradient, "gradient", 0, strengths.size(0));
  check_size(gradient, "gradient", 1, frequencies.size(0));
  STD_TORCH_CHECK(is_single(gradient) == is_single(strengths), "gradient: must have the strengths' precision");
  Tensor result = empty(points, {points.size(0), points.size(1)}, points.scalar_type());
  by_precision(strengths, [&](auto zero) {
    using T = decltype(zero);
    ExponentialSumsArgs<T> a{};  // the points are the outputs here
    a.inputs = frequencies.size(0);
    a.outputs = points.size(0);
    a.dim = points.size(1);
    a.rows = strengths.size(0);
    a.x = in<T>(frequencies);
    a.s = in<T>(points);
    a.sign = int(sign);
    a.strengths = in<T>(gradient);
    a.spectrum = in<T>(strengths);
    a.sums = out<T>(result);
    const auto packed = uninitialised<T>({2, a.rows, a.outputs + kMostLanes});
    a.packed = packed.get();
    with_space(a, a.dim, [&](const auto& args) {
      kernels<T>().exponential_sums_gradient(args, is_complex(gradient), is_complex(strengths));
    });
  });
  return result;
}

}  // namespace
}  // namespace fastspec

STABLE_TORCH_LIBRARY_FRAGMENT(fastspec, m) {
  m.def("exponential_sums(Tensor points, Tensor strengths, Tensor frequencies, int sign) -> Tensor");
  m.def("exponential_sums_real(Tensor points, Tensor strengths, Tensor frequencies, int sign) -> Tensor");
  m.def(
      "exponential_sums_gradient(Tensor points, Tensor strengths, Tensor frequencies, Tensor gradient, int sign) -> "
      "Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(fastspec, CPU, m) {
  using namespace fastspec;
  m.impl("exponential_sums", boxed<exponential_sums>);
  m.impl("exponential_sums_real", boxed<exponential_sums_real>);
  m.impl("exponential_sums_gradient", boxed<exponential_sums_gradient>);
}
