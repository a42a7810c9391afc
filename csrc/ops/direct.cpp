// Direct sums between points and a grid of modes as ops: what is said of them in fastspec's ops.py.
#include "direct.h"

#include <cmath>

#include "../cpu/levels.h"
#include "boxed.h"

namespace fastspec {
namespace {

DirectAxis make_axis(int64_t modes, double period, bool halved) {
  DirectAxis axis;
  axis.modes = modes;
  axis.halved = halved;
  axis.cycles_per_unit = rate_of(1, period);
  axis.radians_per_unit = period == kTau ? 1 : kTau / period;
  return axis;
}

// A grid of modes, and its exponentials.
struct Modes {
  Ints count;
  Floats period;
  bool centered;
  int64_t sign;

  static Modes read(Stack& s) { return {s.next<Ints>(), s.next<Floats>(), s.next<bool>(), s.next<int64_t>()}; }

  // Modes stored along an axis: of real strengths the last one is halved.
  int64_t stored(size_t axis, bool real) const {
    return real && axis + 1 == count.size() ? count[axis] / 2 + 1 : count[axis];
  }
};

// Whether every coordinate is finite and has a place in the period.
template <class X>
bool has_places(const X* x, int64_t points, const Floats& period) {
  const int64_t dim = int64_t(period.size());
  bool near = true;
  for (int64_t d = 0; d < dim; ++d)
    for (int64_t j = 0; j < points; ++j) near &= std::fabs(double(x[j * dim + d])) < kFarthest * period[d];
  return near;
}

// All that points, modes and the kind of strengths say.
template <class T>
DirectArgs<T> make_args(const Tensor& x, int64_t channels, const Modes& modes, bool real) {
  check_tensor(x, "x", 3);
  const bool own = x.scalar_type() == real_type(sizeof(T) == 4);
  STD_TORCH_CHECK(own || x.scalar_type() == ScalarType::Double, "x: must be of the data's precision, or float64");
  check_modes(x, modes.count, modes.period);
  const size_t dim = modes.count.size();
  STD_TORCH_CHECK(modes.sign == 1 || modes.sign == -1, "sign: must be -1 or +1");
  const int64_t points = x.size(0) * x.size(1);
  STD_TORCH_CHECK(own ? has_places(in<T>(x), points, modes.period) : has_places(in<double>(x), points, modes.period),
                  "x: has non-finite points, or too far ones");
  DirectArgs<T> a{};
  a.dim = int(dim);
  a.sign = int(modes.sign);
  a.real = real;
  a.centered = modes.centered;
  for (size_t i = 0; i < dim; ++i)
    a.axis[i == 0 ? 0 : i == dim - 1 ? 2 : 1] = make_axis(modes.count[i], modes.period[i], real && i == dim - 1);
  a.stride[2] = 1;
  a.stride[1] = a.axis[2].count();
  a.stride[0] = a.lefts();
  a.sets = x.size(0);
  a.points = x.size(1);
  a.channels = channels;
  a.x = x.const_data_ptr();
  a.x_own = own;
  return a;
}

template <class T>
void run_type1(DirectArgs<T> a, const Tensor& strengths, Tensor& modes) {
  a.strengths = in<T>(strengths);
  a.modes = out<T>(modes);
  a.chunks = direct_chunks(a.points, a.size());
  const auto totals = uninitialised<double>({a.sets, a.channels, a.chunks, a.size()});
  a.totals = totals.get();
  kernels<T>().direct_type1(a);
}

Tensor direct_type1(const Tensor& x, const Tensor& strengths, const Modes& modes) {
  check_floating(strengths, "strengths");
  check_tensor(strengths, "strengths", 3);
  const bool real = !is_complex(strengths);
  Tensor result;
  by_precision(strengths, [&](auto zero) {
    using T = decltype(zero);
    const DirectArgs<T> a = make_args<T>(x, strengths.size(1), modes, real);
    check_size(strengths, "strengths", 0, a.sets);
    check_size(strengths, "strengths", 2, a.points);
    Ints size{a.sets, a.channels};
    for (size_t i = 0; i < modes.count.size(); ++i) size.push_back(modes.stored(i, real));
    result = empty(strengths, size, complex_type(strengths));
    run_type1(a, strengths, result);
  });
  return result;
}

template <class T>
DirectArgs<T> spectrum_args(const Tensor& x, const Tensor& spectrum, const Modes& modes, bool real) {
  check_tensor(spectrum, "spectrum", int64_t(modes.count.size()) + 2);
  STD_TORCH_CHECK(is_complex(spectrum), "spectrum: must be complex");
  DirectArgs<T> a = make_args<T>(x, spectrum.size(1), modes, real);
  check_size(spectrum, "spectrum", 0, a.sets);
  for (int i = 0; i < a.dim; ++i) check_size(spectrum, "spectrum", i + 2, modes.stored(size_t(i), real));
  a.spectrum = in<T>(spectrum);
  return a;
}

template <class T>
Tensor empty_values(const DirectArgs<T>& a, const Tensor& spectrum) {
  return empty(spectrum, {a.sets, a.channels, a.points}, a.real ? real_type(spectrum) : spectrum.scalar_type());
}

template <class T>
void run_type2(DirectArgs<T> a) {
  const auto packed = uninitialised<T>({a.sets, a.channels, a.terms(), a.size()});
  a.packed = packed.get();
  kernels<T>().direct_type2(a);
}

Tensor direct_type2(const Tensor& x, const Tensor& spectrum, const Modes& modes, bool real) {
  Tensor values;
  by_precision(spectrum, [&](auto zero) {
    using T = decltype(zero);
    DirectArgs<T> a = spectrum_args<T>(x, spectrum, modes, real);
    values = empty_values(a, spectrum);
    a.values = out<T>(values);
    run_type2(a);
  });
  return values;
}

std::tuple<Tensor, Tensor> direct_type2_gradient(const Tensor& x, const Tensor& spectrum, const Tensor& strengths,
                                                 const Modes& modes, bool wanted) {
  const bool real = !is_complex(strengths);
  check_tensor(strengths, "strengths", 3);
  Tensor values, gradient;
  by_precision(spectrum, [&](auto zero) {
    using T = decltype(zero);
    DirectArgs<T> a = spectrum_args<T>(x, spectrum, modes, real);
    STD_TORCH_CHECK(is_single(strengths) == is_single(spectrum), "strengths: must have the spectrum's precision");
    for (int i = 0; i < 2; ++i) check_size(strengths, "strengths", i, spectrum.size(i));
    check_size(strengths, "strengths", 2, a.points);
    a.strengths = in<T>(strengths);
    values = wanted ? empty_values(a, spectrum) : empty(x, {0}, strengths.scalar_type());
    a.values = wanted ? out<T>(values) : nullptr;
    gradient = empty(x, {a.sets, a.points, int64_t(a.dim)}, real_type(spectrum));
    a.gradient = out<T>(gradient);
    run_type2(a);
  });
  return {values, gradient};
}

// Real strengths and half the modes as the loss weighs them: axes reversed, in FFT order.
template <class T>
DirectArgs<T> reversed_args(const Tensor& x, int64_t channels, const HalfModes& modes, int64_t sign) {
  DirectArgs<T> a = make_args<T>(x, channels, {modes.count, modes.period, false, sign}, true);
  a.stride[0] = 1;
  a.stride[1] = a.axis[0].count();
  a.stride[2] = a.axis[0].count() * a.axis[1].count();
  return a;
}

}  // namespace

void check_modes(const Tensor& x, const Ints& modes, const Floats& period) {
  STD_TORCH_CHECK(modes.size() >= 1 && modes.size() <= size_t(kMaxDim) && period.size() == modes.size(),
                  "modes and period: one number per axis, 1 to 3");
  check_size(x, "x", 2, int64_t(modes.size()));
  check_total(modes, "modes");
}

Tensor half_spectrum(const Tensor& x, const Tensor& strengths, int64_t channels, const HalfModes& modes) {
  Ints size{x.size(0) * channels, modes.count.back() / 2 + 1};
  size.insert(size.end(), modes.count.rbegin() + 1, modes.count.rend());
  Tensor spectrum = empty(strengths, size, complex_type(strengths));
  by_precision(strengths, [&](auto zero) {
    using T = decltype(zero);
    run_type1(reversed_args<T>(x, channels, modes, -1), strengths, spectrum);
  });
  return spectrum;
}

void values_of_half(const Tensor& x, const Tensor& spectrum, int64_t channels, const HalfModes& modes, Tensor& values) {
  by_precision(values, [&](auto zero) {
    using T = decltype(zero);
    DirectArgs<T> a = reversed_args<T>(x, channels, modes, 1);
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
  using namespace fastspec;
  m.impl("direct_type1", boxed<direct_type1>);
  m.impl("direct_type2", boxed<direct_type2>);
  m.impl("direct_type2_gradient", boxed<direct_type2_gradient>);
}
