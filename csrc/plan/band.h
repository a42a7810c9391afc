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

// One axis of it: which wavenumbers are kept, and in what order.
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

inline Kept kept(const Band& b, int axis) { return {b.cells[axis], b.modes[axis], b.negative[axis], b.centered}; }

}  // namespace fastspec
