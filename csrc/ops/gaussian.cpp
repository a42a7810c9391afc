// Gaussian filters over all pairs of points as ops: what is said of them in fastspec's ops.py.
#include <cmath>

#include "../cpu/levels.h"
#include "boxed.h"
#include "tensors.h"

namespace fastspec {
namespace {

Floats rates_of(const Tensor& deltas) {
  check_tensor(deltas, "deltas", 1);
  check_dtype(deltas, "deltas", ScalarType::Double);
  Floats rates(size_t(deltas.numel()));
  for (size_t w = 0; w < rates.size(); ++w) rates[w] = M_LOG2E / (2 * in<double>(deltas)[w]);
  return rates;
}

template <class T>
GaussianArgs<T> arguments(const Tensor& x, const Tensor& y, const Floats& rates) {
  GaussianArgs<T> a{};
  a.points = x.size(0);
  a.dim = x.size(1);
  a.sets = y.size(0);
  a.channels = y.size(2);
  a.widths = int64_t(rates.size());
  a.x = in<T>(x);
  a.y = in<T>(y);
  a.rates = rates.data();
  return a;
}

void check_pairs(const Tensor& x, const Tensor& y) {
  check_tensor(x, "x", 2);
  check_tensor(y, "y", 3);
  check_floating(x, "x");
  STD_TORCH_CHECK(!is_complex(x), "x: must be real");
  check_dtype(y, "y", x.scalar_type());
  check_size(y, "y", 1, x.size(0));
}

std::tuple<Tensor, Tensor> gaussian_filter(const Tensor& x, const Tensor& y, const Tensor& deltas) {
  check_pairs(x, y);
  const Floats rates = rates_of(deltas);
  const int64_t widths = deltas.size(0), points = x.size(0);
  STD_TORCH_CHECK(y.size(0) == 1 || y.size(0) == widths, "y: one set of values, or one per width");
  Tensor sums = empty(x, {widths, points, y.size(2)}, x.scalar_type());
  Tensor normalisers = empty(x, {widths, points}, x.scalar_type());
  by_precision(x, [&](auto zero) {
    using T = decltype(zero);
    GaussianArgs<T> a = arguments<T>(x, y, rates);
    a.sums = out<T>(sums);
    a.normalisers = out<T>(normalisers);
    kernels<T>().gaussian(a);
  });
  return {sums, normalisers};
}

Tensor gaussian_filter_gradient(const Tensor& x, const Tensor& y, const Tensor& deltas, const Tensor& cotangent) {
  check_pairs(x, y);
  const Floats rates = rates_of(deltas);
  check_size(y, "y", 0, 1);
  check_tensor(cotangent, "cotangent", 3);
  check_dtype(cotangent, "cotangent", x.scalar_type());
  check_size(cotangent, "cotangent", 0, deltas.size(0));
  for (int axis = 1; axis < 3; ++axis) check_size(cotangent, "cotangent", axis, y.size(axis));
  Tensor gradient = empty(x, {x.size(0), x.size(1)}, x.scalar_type());
  by_precision(x, [&](auto zero) {
    using T = decltype(zero);
    GaussianArgs<T> a = arguments<T>(x, y, rates);
    a.cotangent = in<T>(cotangent);
    a.gradient = out<T>(gradient);
    kernels<T>().gaussian_gradient(a);
  });
  return gradient;
}

}  // namespace
}  // namespace fastspec

STABLE_TORCH_LIBRARY_FRAGMENT(fastspec, m) {
  m.def("gaussian_filter(Tensor x, Tensor y, Tensor deltas) -> (Tensor, Tensor)");
  m.def("gaussian_filter_gradient(Tensor x, Tensor y, Tensor deltas, Tensor cotangent) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(fastspec, CPU, m) {
  using namespace fastspec;
  m.impl("gaussian_filter", boxed<gaussian_filter>);
  m.impl("gaussian_filter_gradient", boxed<gaussian_filter_gradient>);
}
