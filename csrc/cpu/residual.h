// Between a network's outputs, (groups, points, channels), and strengths, (groups, channels, points).
#pragma once
#include "../stages.h"
#include "parallel.h"
#include "simd.h"

namespace fastspec {
namespace FASTSPEC_LEVEL {

// body(group, first point, end point) over blocks of points
template <class Args, class Body>
FASTSPEC_INLINE void for_each_block(const Args& a, Body&& body) {
  const int64_t block = 4096 / (a.channels < 64 ? a.channels : 64), blocks = (a.points + block - 1) / block;
  parallel(a.groups * blocks, 2.0 * a.groups * a.points * a.channels, [&](int64_t task) {
    const int64_t first = task % blocks * block;
    body(task / blocks, first, first + block < a.points ? first + block : a.points);
  });
}

// strengths = quadrature * (pred - target)
template <class T>
void residual(const ResidualArgs<T>& a) {
  for_each_block(a, [&](int64_t group, int64_t first, int64_t end) {
    const int64_t base = group * a.points * a.channels;
    const T *pred = a.pred + base, *target = a.target + base;
    T* strengths = a.strengths + base;
    if (a.channels == 1) {
      for (int64_t j = first; j < end; ++j) strengths[j] = pred[j] - target[j];
    } else {
      for (int64_t j = first; j < end; ++j)
        for (int64_t c = 0; c < a.channels; ++c)
          strengths[c * a.points + j] = pred[j * a.channels + c] - target[j * a.channels + c];
    }
    if (!a.quadrature) return;
    for (int64_t c = 0; c < a.channels; ++c)
      for (int64_t j = first; j < end; ++j) strengths[c * a.points + j] *= a.quadrature[j];
  });
}

// pred = quadrature * strengths, transposed
template <class T>
void residual_gradient(const ResidualGradientArgs<T>& a) {
  for_each_block(a, [&](int64_t group, int64_t first, int64_t end) {
    const int64_t base = group * a.points * a.channels;
    for (int64_t j = first; j < end; ++j) {
      const T q = a.quadrature ? a.quadrature[j] : T(1);
      T* pred = a.pred + base + j * a.channels;
      for (int64_t c = 0; c < a.channels; ++c) pred[c] = q * a.strengths[base + c * a.points + j];
    }
  });
}

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
