// The modes among the fine grid's wavenumbers: plain index arithmetic shared by every stage.
#pragma once
#include "grid.h"

namespace fastspec {

// Which wavenumbers of a fine axis are modes, and in what order they are stored.
struct Band {
  int dim;
  int64_t cells[kMaxDim];     // fine wavenumbers per axis, in FFT order
  int64_t modes[kMaxDim];     // modes kept per axis
  int64_t negative[kMaxDim];  // how many of them are negative
  bool centered;              // stored from the most negative up; else in FFT order

  FASTSPEC_BOTH int64_t mode_count() const {
    int64_t product = 1;
    for (int a = 0; a < dim; ++a) product *= modes[a];
    return product;
  }
  // Fine index of the mode stored at place i.
  FASTSPEC_BOTH int64_t fine(int axis, int64_t i) const {
    const int64_t positive = modes[axis] - negative[axis];
    const int64_t k = centered ? i - negative[axis] : i < positive ? i : i - modes[axis];
    return k < 0 ? k + cells[axis] : k;
  }
  // Place of the mode at a fine index, or -1 where there is none.
  FASTSPEC_BOTH int64_t place(int axis, int64_t fine) const {
    const int64_t below = negative[axis], positive = modes[axis] - below;
    if (fine < positive) return centered ? fine + below : fine;
    const int64_t k = fine - cells[axis];
    if (k < -below) return -1;
    return centered ? k + below : k + modes[axis];
  }
};

}  // namespace fastspec
