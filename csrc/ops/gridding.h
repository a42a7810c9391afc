// Spreading and interpolation as ops and the loss's step call them.
#pragma once
#include "../cpu/failures.h"
#include "device.h"
#include "inputs.h"

#pragma GCC visibility push(hidden)  // as torch's tensors are

namespace fastspec {

struct Gridding {
  const SortedPoints& points;
  Grid grid;

  // That each point is in one tile. The CPU's kernels look at each tile's points themselves; on a GPU the host does not
  // wait for numbers.
  template <class Device>
  void check_starts(const Device&) const {
    if constexpr (Device::kBlocks) {
      const int64_t tiles = grid.tile_count();
      for (int64_t s = 0; s < points.sets(); ++s) {
        const int32_t* starts = in<int32_t>(points.starts) + s * (tiles + 1);
        if (starts[0] != 0 || starts[tiles] != points.count()) refuse_places();
      }
    }
  }

  // Contiguous tensors, strengths (sets, channels, count) and a grid (sets, channels, *cells), of any rank.
  template <class Device>
  void spread(const Device& device, const Tensor& strengths, int64_t channels, Tensor& to, bool ordered = false) const {
    check_starts(device);
    by_precision(to, [&](auto zero) {
      using T = decltype(zero);
      device.spread(SpreadArgs<T>{grid, points.pointers<T>(), points.width(), is_complex(to), in<T>(points.polynomials),
                                  in<T>(strengths), out<T>(to), channels, ordered});
    });
  }

  // wanted(args) says where values, slopes or the gradient go.
  template <class Device, class Wanted>
  void interpolate(const Device& device, const Tensor& from, int64_t channels, Wanted&& wanted) const {
    check_starts(device);
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
