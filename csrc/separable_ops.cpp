// Direct sums between points and a grid of modes as ops: what is said of them in fastspec/_ops.py.
#include <torch/csrc/stable/library.h>

#include <tuple>

#include "ops.h"
#define FASTSPEC_LEVEL declarations
#include "cpu/pairs.h"
#include "cpu/separable.h"

namespace fastspec {
namespace {

SeparableAxis make_axis(int64_t modes, double period, bool halved) {
  STD_TORCH_CHECK(modes >= 1, "modes: at least 1");
  // the float64 nearest to 2 pi stands for 2 pi, so that phases are k.x without rounding
  constexpr long double tau = 6.28318530717958647692528676655900577L;
  const long double turn = period == double(tau) ? tau : (long double)(period);
  SeparableAxis axis;
  axis.modes = modes;
  axis.halved = halved;
  axis.inverse = double(1 / turn);
  axis.inverse_high = declarations::leading_bits(axis.inverse);
  axis.inverse_low = double(1 / turn - axis.inverse_high);
  axis.rate = double(tau / turn);
  return axis;
}

// All that points, modes and the kind of strengths say.
template <class T>
SeparableArgs<T> make_args(const Tensor& x, int64_t channels, const std::vector<int64_t>& modes,
                           const std::vector<double>& period, bool centered, int64_t sign, bool real) {
  check_tensor(x, "x", 3);
  check_dtype(x, "x", sizeof(T) == 4 ? ScalarType::Float : ScalarType::Double);
  const size_t dim = modes.size();
  STD_TORCH_CHECK(dim >= 1 && dim <= size_t(kMaxDim) && period.size() == dim, "modes and period: one number per axis");
  check_size(x, "x", 2, int64_t(dim));
  STD_TORCH_CHECK(sign == 1 || sign == -1, "sign: must be -1 or +1");
  STD_TORCH_CHECK(is_finite(in<T>(x), x.numel()), "x: has non-finite points, must be finite");
  SeparableArgs<T> a{};
  a.dim = int(dim);
  a.sign = int(sign);
  a.real = real;
  a.centered = centered;
  for (size_t i = 0; i < dim; ++i)
    a.axis[i == 0 ? 0 : i == dim - 1 ? 2 : 1] = make_axis(modes[i], period[i], real && i == dim - 1);
  a.stride[2] = 1;
  a.stride[1] = a.axis[2].count();
  a.stride[0] = a.lefts();
  a.sets = x.size(0);
  a.points = x.size(1);
  a.channels = channels;
  a.x = in<T>(x);
  return a;
}

template <class T>
void run_type1(SeparableArgs<T> a, const Tensor& strengths, Tensor& modes) {
  a.strengths = in<T>(strengths);
  a.modes = out<T>(modes);
  a.chunks = separable_chunks(a.points, a.size());
  const auto totals = uninitialised<double>(a.sets * a.channels * a.chunks * a.size());
  a.totals = totals.get();
  pair_kernels<T>().type1(a);
}

Tensor direct_type1(const Tensor& x, const Tensor& strengths, std::vector<int64_t> modes, std::vector<double> period,
                    bool centered, int64_t sign) {
  check_floating(strengths, "strengths");
  check_tensor(strengths, "strengths", 3);
  const bool real = !is_complex(strengths);
  Tensor result;
  by_precision(strengths, [&](auto zero) {
    using T = decltype(zero);
    SeparableArgs<T> a = make_args<T>(x, strengths.size(1), modes, period, centered, sign, real);
    check_size(strengths, "strengths", 0, a.sets);
    check_size(strengths, "strengths", 2, a.points);
    std::vector<int64_t> size{a.sets, a.channels};
    for (size_t i = 0; i < modes.size(); ++i)
      size.push_back(real && i + 1 == modes.size() ? modes[i] / 2 + 1 : modes[i]);
    result = empty(strengths, size, complex_type(strengths));
    run_type1(a, strengths, result);
  });
  return result;
}

template <class T>
SeparableArgs<T> spectrum_args(const Tensor& x, const Tensor& spectrum, const std::vector<int64_t>& modes,
                               const std::vector<double>& period, bool centered, int64_t sign, bool real) {
  check_tensor(spectrum, "spectrum", int64_t(modes.size()) + 2);
  STD_TORCH_CHECK(is_complex(spectrum), "spectrum: must be complex");
  SeparableArgs<T> a = make_args<T>(x, spectrum.size(1), modes, period, centered, sign, real);
  check_size(spectrum, "spectrum", 0, a.sets);
  for (int i = 0; i < a.dim; ++i)
    check_size(spectrum, "spectrum", i + 2, real && i == a.dim - 1 ? modes[i] / 2 + 1 : modes[i]);
  a.spectrum = in<T>(spectrum);
  return a;
}

template <class T>
Tensor empty_values(const SeparableArgs<T>& a, const Tensor& x, const Tensor& spectrum) {
  return empty(x, {a.sets, a.channels, a.points}, a.real ? x.scalar_type() : spectrum.scalar_type());
}

template <class T>
void run_type2(SeparableArgs<T> a) {
  const auto packed = uninitialised<T>(a.sets * a.channels * a.terms() * a.size());
  a.packed = packed.get();
  pair_kernels<T>().type2(a);
}

Tensor direct_type2(const Tensor& x, const Tensor& spectrum, std::vector<int64_t> modes, std::vector<double> period,
                    bool centered, int64_t sign, bool real) {
  Tensor values;
  by_precision(spectrum, [&](auto zero) {
    using T = decltype(zero);
    SeparableArgs<T> a = spectrum_args<T>(x, spectrum, modes, period, centered, sign, real);
    values = empty_values(a, x, spectrum);
    a.values = out<T>(values);
    run_type2(a);
  });
  return values;
}

std::tuple<Tensor, Tensor> direct_type2_gradient(const Tensor& x, const Tensor& spectrum, const Tensor& strengths,
                                                 std::vector<int64_t> modes, std::vector<double> period, bool centered,
                                                 int64_t sign, bool wanted) {
  const bool real = !is_complex(strengths);
  check_tensor(strengths, "strengths", 3);
  Tensor values, gradient;
  by_precision(spectrum, [&](auto zero) {
    using T = decltype(zero);
    SeparableArgs<T> a = spectrum_args<T>(x, spectrum, modes, period, centered, sign, real);
    STD_TORCH_CHECK(is_single(strengths) == is_single(spectrum), "strengths: must have the spectrum's precision");
    for (int i = 0; i < 2; ++i) check_size(strengths, "strengths", i, spectrum.size(i));
    check_size(strengths, "strengths", 2, a.points);
    a.strengths = in<T>(strengths);
    values = wanted ? empty_values(a, x, spectrum) : empty(x, {0}, strengths.scalar_type());
    a.values = wanted ? out<T>(values) : nullptr;
    gradient = empty(x, {a.sets, a.points, int64_t(a.dim)}, x.scalar_type());
    a.gradient = out<T>(gradient);
    run_type2(a);
  });
  return {values, gradient};
}

// Real strengths and half the modes as the loss weighs them: axes reversed, in FFT order.
template <class T>
SeparableArgs<T> reversed_args(const Tensor& x, int64_t channels, const std::vector<int64_t>& modes,
                               const std::vector<double>& period, int64_t sign) {
  SeparableArgs<T> a = make_args<T>(x, channels, modes, period, false, sign, true);
  a.stride[0] = 1;
  a.stride[1] = a.axis[0].count();
  a.stride[2] = a.axis[0].count() * a.axis[1].count();
  return a;
}

}  // namespace

Tensor half_spectrum(const Tensor& x, const Tensor& strengths, int64_t channels, const std::vector<int64_t>& modes,
                     const std::vector<double>& period) {
  std::vector<int64_t> size{x.size(0) * channels, modes.back() / 2 + 1};
  size.insert(size.end(), modes.rbegin() + 1, modes.rend());
  Tensor spectrum = empty(strengths, size, complex_type(strengths));
  by_precision(strengths, [&](auto zero) {
    using T = decltype(zero);
    run_type1(reversed_args<T>(x, channels, modes, period, -1), strengths, spectrum);
  });
  return spectrum;
}

void values_of_half(const Tensor& x, const Tensor& spectrum, int64_t channels, const std::vector<int64_t>& modes,
                    const std::vector<double>& period, Tensor& values) {
  by_precision(values, [&](auto zero) {
    using T = decltype(zero);
    SeparableArgs<T> a = reversed_args<T>(x, channels, modes, period, 1);
    a.spectrum = in<T>(spectrum);
    a.values = out<T>(values);
    run_type2(a);
  });
}

}  // namespace fastspec

STABLE_TORCH_LIBRARY_FRAGMENT(fastspec, m) {
  m.def("direct_type1(Tensor x, Tensor strengths, int[] modes, float[] period, bool centered, int sign) -> Tensor");
  m.def(
      "direct_type2(Tensor x, Tensor spectrum, int[] modes, float[] period, bool centered, int sign, bool real) -> "
      "Tensor");
  m.def(
      "direct_type2_gradient(Tensor x, Tensor spectrum, Tensor strengths, int[] modes, float[] period, bool centered, "
      "int sign, bool values) -> (Tensor, Tensor)");
}

STABLE_TORCH_LIBRARY_IMPL(fastspec, CPU, m) {
  m.impl("direct_type1", TORCH_BOX(&fastspec::direct_type1));
  m.impl("direct_type2", TORCH_BOX(&fastspec::direct_type2));
  m.impl("direct_type2_gradient", TORCH_BOX(&fastspec::direct_type2_gradient));
}
