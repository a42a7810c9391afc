// The FFT of complex lines (transforms, cells) and the modes (transforms, kept.count), each times its factor, of lines
// too long for a cache.
#pragma once
#include "../ops/tensors.h"
#include "../plan/band.h"

namespace fastspec {

// Whether it is so long that torch's FFT takes longer.
bool is_long_line(int64_t cells);

void line_to_modes(const Tensor& grid, const Kept& kept, const Tensor& factors, int sign, Tensor& modes);
void modes_to_line(const Tensor& modes, const Kept& kept, const Tensor& factors, int sign, Tensor& grid);

}  // namespace fastspec
