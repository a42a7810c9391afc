// Whether points are where a tile's buffer has room for their windows, and have a place in the user's order: the
// numbers of a plan may have come from anywhere. Asked of each tile just before its points are used, so that they are
// read from memory once.
#pragma once
#include "../stages.h"
#include "failures.h"
#include "simd.h"

namespace fastspec {
namespace FASTSPEC_LEVEL {

// `numbers` of several axes in turn, none beyond most[axis].
template <class P, int D>
FASTSPEC_INLINE bool none_beyond(const P* numbers, int64_t count, const P* most) {
  constexpr int kTogether = 64 / int(sizeof(P));  // of each axis
  P limits[D * kTogether];
  for (int i = 0; i < D * kTogether; ++i) limits[i] = most[i % D];
  P beyond = 0;
  int64_t i = 0;
  for (; i + D * kTogether <= count; i += D * kTogether)
    for (int k = 0; k < D * kTogether; ++k) beyond |= P(numbers[i + k] > limits[k]);
  for (int k = 0; i + k < count; ++k) beyond |= P(numbers[i + k] > limits[k]);
  return beyond == 0;
}

template <class T, int D>
FASTSPEC_INLINE void check_places(const Points<T>& points, int64_t set, int64_t first, int64_t last,
                                  const int64_t* cells) {
  using P = typename Fixed<T>::type;
  P most[D];
  for (int a = 0; a < D; ++a) most[a] = (P(cells[a]) << Fixed<T>::fraction_bits) - 1;
  if (first < 0 || last < first || last > points.count) refuse_places();
  const uint32_t last_place = uint32_t(points.count - 1);
  const int64_t at = set * points.count + first;
  const uint32_t* order = reinterpret_cast<const uint32_t*>(points.order) + at;
  if (!none_beyond<P, D>(points.position + at * D, (last - first) * D, most) ||
      !none_beyond<uint32_t, 1>(order, last - first, &last_place))
    refuse_places();
}

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
