// FFTs of real grids by torch's, (transforms, *cells), of half the spectrum along the last axis.
#pragma once
#include "torch.h"

namespace fastspec {

inline std::vector<int64_t> axes(int first, int last) {
  std::vector<int64_t> all;
  for (int a = first; a <= last; ++a) all.push_back(a);
  return all;
}

// The first `last` wavenumbers of the last axis; the other axes have fewer lines so.
inline Tensor half_fft(const Tensor& grid, int64_t last) {
  const int dim = int(grid.dim()) - 1;
  Tensor half = real_fft(grid);
  half = torch::stable::narrow(half, dim, 0, last);
  return dim == 1 ? half : fft(half, axes(1, dim - 1), -1);
}

// The transpose, to n cells along the last axis.
inline Tensor inverse_half_fft(Tensor half, int64_t n) {
  const int dim = int(half.dim()) - 1;
  if (dim > 1) half = fft(half, axes(1, dim - 1), 1);
  const int64_t missing = n / 2 + 1 - half.size(dim);
  if (missing > 0) half = torch::stable::pad(half, std::vector<int64_t>{0, missing});
  return inverse_real_fft(half, n);
}

}  // namespace fastspec
