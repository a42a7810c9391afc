// Direct sums of real strengths, (sets, channels, points) of any rank, to half the modes as weigh takes them, (sets *
// channels, K, *others), and from these to values as the strengths.
#pragma once
#include "boxed.h"
#include "tensors.h"

namespace fastspec {

struct HalfModes {
  Ints count;  // of the whole grid
  Floats period;
};

void check_modes(const Tensor& x, const Ints& modes, const Floats& period);
Tensor half_spectrum(const Tensor& x, const Tensor& strengths, int64_t channels, const HalfModes& modes);
void values_of_half(const Tensor& x, const Tensor& spectrum, int64_t channels, const HalfModes& modes, Tensor& values);

}  // namespace fastspec
