// The FFTs of the loss's step in 2-D and 3-D, on blocks of the grid that stay in cache: each axis is cropped to the
// wavenumbers with a weight as soon as it is transformed, so that the next axis has fewer lines, and nothing as large
// as the grid is ever made beside it.
//
//      grid (n0, n1, n2) real  ->  planes of axis 0: FFT of axes 2 and 1, cropped  ->  lines (K, B1, n0)
//      lines                   ->  each line: FFT of axis 0, weigh, inverse FFT
//      lines                   ->  planes of axis 0: inverse FFT of axes 1 and 2   ->  grid
//
// In 2-D axis 1 is missing: B1 = 1.
#pragma once
#include "ops.h"

namespace fastspec {

// The step's FFTs over `transforms` grids, in place: afterwards the grid is that of the gradient, if it is `wanted`.
// `weight` (1 or transforms, K, [B1,] B0) as weigh takes it; `sums` (transforms) gets the weighted sums.
void weigh_grid(const Grid& g, Tensor& grid, int64_t transforms, const Tensor& weight, double scale, double* sums,
                bool wanted);

}  // namespace fastspec
