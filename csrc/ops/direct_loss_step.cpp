// The step of the loss by direct sums.
#include "direct.h"
#include "residual.h"

namespace fastspec {
namespace {

struct DirectWay {
  const Tensor& x;
  const HalfModes& modes;
  const WeighedBy& by;
  Tensor spectrum = {};

  int64_t channels() const { return spectrum.size(0) / x.size(0); }

  void forward(const Tensor& strengths, int64_t transforms, double* sums, bool) {
    spectrum = half_spectrum(x, strengths, transforms / x.size(0), modes);
    by_precision(strengths, [&](auto zero) {
      using T = decltype(zero);
      WeighArgs<T> a = by.args<T>(strengths, shape(spectrum, 1, int(spectrum.dim())), transforms);
      a.spectrum = out<T>(spectrum);
      a.loss = sums;
      weigh_spectrum(a);
    });
  }

  void backward(Tensor& values) const { values_of_half(x, spectrum, channels(), modes, values); }
};

std::tuple<Tensor, Tensor> direct_loss_step(const Residual& r, const Tensor& x, const Ints& modes, const Floats& period,
                                            const WeighedBy& by) {
  check_tensor(x, "x", 3);
  check_modes(x, modes, period);
  HalfModes band{modes, period};
  for (int64_t& n : band.count) n |= 1;  // -(N/2) ... N/2
  return step(Cpu(), r, r.shape_at(x.size(0), x.size(1)), DirectWay{x, band, by});
}

}  // namespace
}  // namespace fastspec

STABLE_TORCH_LIBRARY_FRAGMENT(fastspec, m) {
  m.def(
      "direct_loss_step(Tensor pred, Tensor target, Tensor? quadrature, bool reduce, bool wanted, Tensor x, int[] "
      "modes, "
      "float[] period, Tensor weight, float scale, int[] weighed, int rule, float parameter) -> (Tensor, Tensor)");
}

STABLE_TORCH_LIBRARY_IMPL(fastspec, CPU, m) { m.impl("direct_loss_step", fastspec::boxed<fastspec::direct_loss_step>); }
