// The loss's step on real residuals, whole, for the plain case in eager mode, where a composition in Python costs more
// than the work on few points: what is the same by gridding and by direct sums.
#pragma once
#include "boxed.h"
#include "device.h"
#include "inputs.h"

#pragma GCC visibility push(hidden)  // as torch's tensors are

namespace fastspec {

struct RowsShape {
  int64_t groups, points, channels;

  int64_t transforms() const { return groups * channels; }
};

template <class T>
const T* pointer(const std::optional<Tensor>& t) {
  return t ? in<T>(*t) : nullptr;
}

// Outputs of a network and what they should be, and what is asked: one loss for all, and the gradient in pred.
struct Residual {
  Tensor pred, target;
  std::optional<Tensor> quadrature;
  bool reduce, wanted;

  static Residual read(Stack& s) {
    return {s.next<Tensor>(), s.next<Tensor>(), s.next<std::optional<Tensor>>(), s.next<bool>(), s.next<bool>()};
  }

  // Checked, at `points` points in each of so many sets.
  RowsShape shape_at(int64_t sets, int64_t points) const {
    check_tensor(pred, "pred", pred.dim());
    check_tensor(target, "target", pred.dim());
    check_dtype(target, "target", pred.scalar_type());
    STD_TORCH_CHECK(!is_complex(pred), "pred: must be real");
    check_floating(pred, "pred");
    STD_TORCH_CHECK(pred.dim() >= 1, "pred: must be (points) or (..., points, channels)");
    const int64_t rank = pred.dim(), channels = rank == 1 ? 1 : pred.size(rank - 1);
    STD_TORCH_CHECK(points > 0 && channels > 0 && pred.size(rank == 1 ? 0 : rank - 2) == points,
                    "pred: must be (points) or (..., points, channels), none of them 0");
    const RowsShape s{pred.numel() / points / channels, points, channels};
    STD_TORCH_CHECK(target.numel() == pred.numel() && sets > 0 && s.groups % sets == 0, "target: must be as pred");
    if (quadrature) {
      check_tensor(*quadrature, "quadrature", 1);
      check_dtype(*quadrature, "quadrature", pred.scalar_type());
      check_size(*quadrature, "quadrature", 0, points);
    }
    return s;
  }

  template <class Device>
  Tensor strengths(const Device& device, const RowsShape& s) const {
    Tensor strengths = empty(pred, {s.groups, s.channels, s.points}, pred.scalar_type());
    by_precision(pred, [&](auto zero) {
      using T = decltype(zero);
      device.residual(ResidualArgs<T>{s.groups, s.points, s.channels, pointer<T>(quadrature), in<T>(pred),
                                      in<T>(target), out<T>(strengths)});
    });
    return strengths;
  }

  // From the gradient in the strengths, which write(values) writes.
  template <class Device, class Write>
  Tensor gradient(const Device& device, const RowsShape& s, Write&& write) const {
    Tensor gradient = empty(pred, sizes(pred), pred.scalar_type());
    if (s.channels == 1 && !quadrature) {
      write(gradient);
      return gradient;
    }
    Tensor values = empty(pred, {s.groups, s.channels, s.points}, pred.scalar_type());
    write(values);
    by_precision(pred, [&](auto zero) {
      using T = decltype(zero);
      device.residual_gradient(ResidualGradientArgs<T>{s.groups, s.points, s.channels, pointer<T>(quadrature),
                                                       in<T>(values), out<T>(gradient)});
    });
    return gradient;
  }

  // Sums (groups * channels) as they are, or added up.
  template <class Device>
  Tensor loss(const Device& device, const double* sums, int64_t count) const {
    Ints size;
    if (!reduce && pred.dim() > 1) {
      size = shape(pred, 0, int(pred.dim()) - 2);
      size.push_back(pred.size(pred.dim() - 1));
    }
    Tensor loss = empty(pred, size, pred.scalar_type());
    by_precision(pred, [&](auto zero) {
      using T = decltype(zero);
      device.total(TotalArgs<T>{sums, count, reduce, out<T>(loss)});
    });
    return loss;
  }
};

// The whole step by one of the ways, each with
//
//     forward(strengths, transforms, sums, wanted)    strengths to the weighed sums
//     backward(values)                                then, the gradient in the strengths
template <class Device, class Way>
std::tuple<Tensor, Tensor> step(const Device& device, const Residual& r, const RowsShape& s, Way&& way) {
  const auto sums = device.numbers(s.transforms());
  const bool any = s.transforms() > 0;
  if (any) way.forward(r.strengths(device, s), s.transforms(), sums.get(), r.wanted);
  Tensor loss = r.loss(device, sums.get(), s.transforms());
  if (!any || !r.wanted) return {loss, empty(r.pred, r.wanted ? sizes(r.pred) : Ints{0}, r.pred.scalar_type())};
  return {loss, r.gradient(device, s, [&](Tensor& values) { way.backward(values); })};
}

}  // namespace fastspec

#pragma GCC visibility pop
