// Shared by the focal weight's kernels.
#pragma once
#include "grid.h"

namespace fastspec {

// The largest |F|^2 as a number that others may be divided by: 1 if they are hardly above the smallest numbers of all.
template <class T>
FASTSPEC_BOTH T focal_divisor(T largest) {
  constexpr T least = sizeof(T) == 4 ? T(1e-32) : T(1e-302);
  return largest > least ? largest : T(1);
}

}  // namespace fastspec
