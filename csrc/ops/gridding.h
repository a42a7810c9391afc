// Spreading and interpolation as ops and the loss's step call them.
#pragma once
#include "../cpu/parallel.h"
#include "device.h"
#include "inputs.h"

#pragma GCC visibility push(hidden)  // as torch's tensors are

namespace fastspec {

// Of the points of one tile: whether none lies beyond `most` along any axis.
template <class P, int D>
bool in_tile(const P* position, int64_t count, const P* most) {
  P beyond = 0;  // of the numbers' own width, for compilers to take several at a time
  for (int64_t i = 0; i < count; ++i)
    for (int a = 0; a < D; ++a) beyond |= P(position[i * D + a] > most[a]);
  return beyond == 0;
}

template <class T, int D>
bool has_room(const Grid& g, const Points<T>& points, int64_t set) {
  using P = typename Fixed<T>::type;
  const int32_t* starts = points.starts + set * (g.tile_count() + 1);
  const int32_t* order = points.order + set * points.count;
  const P* position = points.position + set * points.count * D;
  bool fine = starts[0] == 0 && starts[g.tile_count()] == points.count;
  for (int64_t t = 0; t < g.tile_count(); ++t) fine &= starts[t] <= starts[t + 1];
  if (!fine) return false;
  const int32_t count = int32_t(points.count);
  uint32_t beyond = 0;
  for (int64_t i = 0; i < count; ++i) beyond |= uint32_t(order[i] < 0) | uint32_t(order[i] >= count);
  fine &= beyond == 0;
  for (int64_t t = 0; t < g.tile_count(); ++t) {
    if (starts[t] == starts[t + 1]) continue;
    P most[D];
    for (int64_t a = D - 1, index = t; a >= 0; index /= g.tiles[a--]) {
      const int64_t left = g.cells[a] - index % g.tiles[a] * g.tile[a];
      most[a] = P((uint64_t(left < g.tile[a] ? left : g.tile[a]) << Fixed<T>::fraction_bits) - 1);
    }
    fine &= in_tile<P, D>(position + int64_t(starts[t]) * D, starts[t + 1] - starts[t], most);
  }
  return fine;
}

template <class T>
bool has_room(const Grid& g, const Points<T>& points) {
  std::unique_ptr<bool[]> fine(new bool[size_t(points.sets)]);
  parallel(points.sets, double(points.sets * points.count), [&](int64_t s) {
    fine[s] = g.dim == 1   ? has_room<T, 1>(g, points, s)
              : g.dim == 2 ? has_room<T, 2>(g, points, s)
                           : has_room<T, 3>(g, points, s);
  });
  return std::all_of(fine.get(), fine.get() + points.sets, [](bool b) { return b; });
}

struct Gridding {
  const SortedPoints& points;
  Grid grid;

  // That every point is where its tile's buffer has room for its window, and has a place in the user's order: a plan's
  // numbers may have come from anywhere. On a GPU they are not looked at.
  template <class Device>
  void check_places(const Device&) const {
    if constexpr (Device::kBlocks)
      by_size(points.position.scalar_type() == ScalarType::Int, [&](auto zero) {
        STD_TORCH_CHECK(has_room(grid, points.pointers<decltype(zero)>()),
                        "position, order and starts: not of points sorted for this grid");
      });
  }

  // Contiguous tensors, strengths (sets, channels, count) and a grid (sets, channels, *cells), of any rank.
  template <class Device>
  void spread(const Device& device, const Tensor& strengths, int64_t channels, Tensor& to, bool ordered = false) const {
    check_places(device);
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
