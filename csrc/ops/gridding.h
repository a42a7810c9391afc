// Spreading and interpolation as ops and the loss's step call them.
#pragma once
#include "device.h"
#include "inputs.h"

#pragma GCC visibility push(hidden)  // as torch's tensors are

namespace fastspec {

struct Gridding {
  const SortedPoints& points;
  Grid grid;

  // Contiguous tensors, strengths (sets, channels, count) and a grid (sets, channels, *cells), of any rank.
  template <class Device>
  void spread(const Device& device, const Tensor& strengths, int64_t channels, Tensor& to, bool ordered = false) const {
    by_precision(to, [&](auto zero) {
      using T = decltype(zero);
      device.spread(SpreadArgs<T>{grid, points.pointers<T>(), points.width(), is_complex(to), in<T>(points.polynomials),
                                  in<T>(strengths), out<T>(to), channels, ordered});
    });
  }

  // wanted(args) says where values, slopes or the gradient go.
  template <class Device, class Wanted>
  void interpolate(const Device& device, const Tensor& from, int64_t channels, Wanted&& wanted) const {
    by_precision(from, [&](auto zero) {
      using T = decltype(zero);
      InterpolateArgs<T> a{
          grid,    points.pointers<T>(), points.width(), is_complex(from), in<T>(points.polynomials), in<T>(from),
          channels};
      wanted(a);
      device.interpolate(a);
    });
  }
};

// The numbers of a tensor, for a field of InterpolateArgs.
template <class T>
void point_to(T*& field, Tensor& t) {
  field = out<T>(t);
}
template <class T>
void point_to(const T*& field, const Tensor& t) {
  field = in<T>(t);
}

}  // namespace fastspec

#pragma GCC visibility pop
