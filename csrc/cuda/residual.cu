// The loss's residuals, their gradient and the sum of its rows: see cpu/residual.h.
#include "launch.h"
#include "stages.h"

namespace fastspec::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kEach = 4;  // numbers of a thread
constexpr int64_t kBlockNumbers = int64_t(kThreads) * kEach;

// Calls body(number) for a thread's share of all numbers, neighbours for neighbours.
template <class Body>
FASTSPEC_FORCE_INLINE void each_number(int index, int thread, int64_t count, Body&& body) {
  FASTSPEC_UNROLLED
  for (int i = 0; i < kEach; ++i) {
    const int64_t number = int64_t(index) * kBlockNumbers + i * kThreads + thread;
    if (number < count) body(number);
  }
}

// Calls body(i, swapped, factor) for a thread's share of (groups, points, channels): the number's place there and in
// (groups, channels, points), and its point's quadrature.
template <class T, class Args, class Body>
FASTSPEC_FORCE_INLINE void each_place(const Args& a, int index, int thread, Body&& body) {
  each_number(index, thread, a.groups * a.points * a.channels, [&](int64_t i) {
    const int64_t row = i / a.channels, channel = i % a.channels, group = row / a.points, point = row % a.points;
    const int64_t swapped = (group * a.channels + channel) * a.points + point;
    body(i, swapped, a.quadrature ? a.quadrature[point] : T(1));
  });
}

// strengths = quadrature * (pred - target), points last
template <class T>
struct Residuals {
  static constexpr int kMostThreads = kThreads, kLeastBlocks = 1;
  ResidualArgs<T> a;

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    block.each([&](int thread) {
      each_place<T>(a, index, thread, [&](int64_t i, int64_t swapped, T factor) {
        a.strengths[swapped] = factor * (a.pred[i] - a.target[i]);
      });
    });
  }
};

// pred = quadrature * strengths, channels last
template <class T>
struct ResidualGradient {
  static constexpr int kMostThreads = kThreads, kLeastBlocks = 1;
  ResidualGradientArgs<T> a;

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    block.each([&](int thread) {
      each_place<T>(a, index, thread,
                    [&](int64_t i, int64_t swapped, T factor) { a.pred[i] = factor * a.strengths[swapped]; });
    });
  }
};

// One block adds the rows in an order that is the same every time; or each number is turned to T.
template <class T>
struct Total {
  static constexpr int kMostThreads = kThreads, kLeastBlocks = 1;
  TotalArgs<T> a;

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    double* partial = reinterpret_cast<double*>(block.shared);
    if (!a.adds)
      return block.each(
          [&](int thread) { each_number(index, thread, a.count, [&](int64_t i) { a.loss[i] = T(a.sums[i]); }); });
    block.each([&](int thread) {
      partial[thread] = 0;
      for (int64_t i = thread; i < a.count; i += kThreads) partial[thread] += a.sums[i];
    });
    for (int half = kThreads / 2; half > 0; half /= 2)
      block.each([&](int thread) {
        if (thread < half) partial[thread] += partial[thread + half];
      });
    block.each([&](int thread) {
      if (thread == 0) *a.loss = T(partial[0]);
    });
  }
};

template <class Work>
void over_numbers(const Work& work, int64_t count, void* stream) {
  launch(work, {ceil_div(count, kBlockNumbers), kThreads, 0}, stream);
}

}  // namespace

template <class T>
void residual(const ResidualArgs<T>& a, void* stream) {
  over_numbers(Residuals<T>{a}, a.groups * a.points * a.channels, stream);
}

template <class T>
void residual_gradient(const ResidualGradientArgs<T>& a, void* stream) {
  over_numbers(ResidualGradient<T>{a}, a.groups * a.points * a.channels, stream);
}

template <class T>
void total(const TotalArgs<T>& a, void* stream) {
  if (!a.adds) return over_numbers(Total<T>{a}, a.count, stream);
  launch(Total<T>{a}, {1, kThreads, kThreads * sizeof(double)}, stream);
}

template void residual(const ResidualArgs<float>&, void*);
template void residual(const ResidualArgs<double>&, void*);
template void residual_gradient(const ResidualGradientArgs<float>&, void*);
template void residual_gradient(const ResidualGradientArgs<double>&, void*);
template void total(const TotalArgs<float>&, void*);
template void total(const TotalArgs<double>&, void*);

}  // namespace fastspec::cuda
