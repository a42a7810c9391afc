// FFTs over the axes of a grid in 2-D and 3-D, of which only some wavenumbers are wanted, or are not zero. They go by
// blocks of the grid that stay in cache, and each axis is cropped as soon as it is transformed (or padded just before),
// so that the other axes have fewer lines and nothing as large as the grid is made beside it:
//
//      grid (n0, n1, n2)  <->  planes of axis 0: FFT of axes 2 and 1, cropped  <->  lines (K1, K2, n0)
//      lines              <->  blocks of lines: FFT of axis 0, cropped         <->  modes (K0, K1, K2)
//
// In 2-D axis 1 is missing: n1 = K1 = 1.
#pragma once
#include "ops.h"

namespace fastspec {

// Which wavenumbers of an axis are kept, and in what order: see cpu/spectrum.h.
struct Kept {
  int64_t cells, count, negative;
  bool centered;

  // body(first one kept, its place among the cells, how many) for the runs of consecutive wavenumbers
  template <class Body>
  void for_each_run(Body&& body) const {
    const int64_t positive = count - negative;
    if (centered) {
      if (negative) body(int64_t(0), cells - negative, negative);
      if (positive) body(negative, int64_t(0), positive);
    } else {
      if (positive) body(int64_t(0), int64_t(0), positive);
      if (negative) body(positive, cells - negative, negative);
    }
  }
};

// What the loss weighs by: `weight` (1 or transforms, K, [B1,] B0) as weigh takes it or, with a `focal` band, the
// squared factors of weigh_focal.
struct Weighing {
  const Tensor& weight;
  double scale;
  const FocalBand* focal;

  // Wavenumbers kept along an axis, the halved one first.
  int64_t kept(int axis) const { return focal ? focal->count(axis) : weight.size(axis + 1); }
};

// The FFTs of the loss's step over `transforms` real grids, in place: the grid becomes the gradient's if it is
// `wanted`. `sums` (transforms) gets the weighted sums.
void weigh_grid(const Grid& g, Tensor& grid, int64_t transforms, const Weighing& by, double* sums, bool wanted);

// The FFT of complex lines (transforms, cells) and the modes (transforms, kept.count), each times its factor: see
// long_line.cpp.
void line_to_modes(const Tensor& grid, const Kept& kept, const Tensor& factors, int sign, Tensor& modes);
void modes_to_line(const Tensor& modes, const Kept& kept, const Tensor& factors, int sign, Tensor& grid);

}  // namespace fastspec
