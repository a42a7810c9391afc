// The loss's pass over half spectra between its FFTs, by either rule: see cpu/weigh.h.
#include "lines.h"
#include "stages.h"

namespace fastspec::cuda {
namespace {

constexpr int kThreads = kLineThreads;

struct Add {
  FASTSPEC_FORCE_INLINE double operator()(double a, double b) const { return a + b; }
};
struct Larger {
  FASTSPEC_FORCE_INLINE double operator()(double a, double b) const { return a > b ? a : b; }
};

// A number of each thread of a block made one, in an order that is the same every time.
template <class Combine, class Block>
FASTSPEC_FORCE_INLINE void reduce(Block& block, double* numbers) {
  for (int half = kThreads / 2; half > 0; half /= 2)
    block.each([&](int thread) {
      if (thread < half) numbers[thread] = Combine()(numbers[thread], numbers[thread + half]);
    });
}

template <class T>
struct Weigh {
  static constexpr int kMostThreads = kThreads, kLeastBlocks = 1;
  WeighArgs<T> a;
  Lines lines;  // of the spectrum

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    double* sums = reinterpret_cast<double*>(block.shared);
    const int64_t transform = index / lines.blocks();
    const Band& b = a.band;
    const T gain = T(2 * a.scale);
    block.each([&](int thread) {
      double sum = 0;
      lines.each(index % lines.blocks(), thread, [&](int line, int i) {
        int at[kMaxDim];
        along(line, b.cells, b.dim, at);
        at[b.dim - 1] = i;
        int64_t weight = a.weights > 1 ? transform : 0;
        bool inside = true;
        for (int d = 0; d < b.dim && inside; ++d) {
          const int64_t place = b.place(d, at[d]);
          inside = place >= 0;
          weight = weight * b.modes[d] + place;
        }
        T* z = a.spectrum + 2 * ((transform * lines.count + line) * lines.length + i);
        const T w = inside ? a.weight[weight] : T(0), re = z[0], im = z[1];
        if (inside) sum += (at[0] > 0 ? 2.0 : 1.0) * double(w * (re * re + im * im));
        z[0] = inside ? gain * w * re : T(0);
        z[1] = inside ? gain * w * im : T(0);
      });
      sums[thread] = sum;
    });
    reduce<Add>(block, sums);
    block.each([&](int thread) {
      if (thread == 0) a.partial[index] = a.scale * sums[0];
    });
  }
};

struct Totals {
  static constexpr int kMostThreads = kThreads, kLeastBlocks = 1;
  const double* partial;  // (transforms, count)
  double* loss;
  int count;

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    double* sums = reinterpret_cast<double*>(block.shared);
    block.each([&](int thread) {
      sums[thread] = 0;
      for (int i = thread; i < count; i += kThreads) sums[thread] += partial[int64_t(index) * count + i];
    });
    reduce<Add>(block, sums);
    block.each([&](int thread) {
      if (thread == 0) loss[index] = sums[0];
    });
  }
};

// The factor of |F|^2 at a place of the spectrum, and how much it counts: all, half, or not at all.
template <class T>
struct Counted {
  T factor, counts;
};

template <class T>
FASTSPEC_FORCE_INLINE Counted<T> counted(const WeighArgs<T>& a, const int* at) {
  const Band& b = a.band;
  const T* factors = a.weight;
  Counted<T> c{1, 0};
  bool above = false, below = false;
  for (int d = 0; d < b.dim; ++d) {
    const int64_t place = b.place(d, at[d]), positive = b.modes[d] - b.negative[d];
    if (place < 0) return c;
    c.factor *= factors[place];
    above |= a.even[d] && place == positive - 1;
    below |= a.even[d] && place == positive;  // which the halved axis has not
    factors += b.modes[d];
  }
  c.counts = above && below ? T(0) : above || below ? T(0.5) : T(1);
  return c;
}

template <class T>
struct FocalPeak {
  static constexpr int kMostThreads = kThreads, kLeastBlocks = 1;
  WeighArgs<T> a;
  Lines lines;  // of the spectrum

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    double* largest = reinterpret_cast<double*>(block.shared);
    const int64_t transform = index / lines.blocks();
    block.each([&](int thread) {
      T most = 0;
      lines.each(index % lines.blocks(), thread, [&](int line, int i) {
        int at[kMaxDim];
        along(line, a.band.cells, a.band.dim, at);
        at[a.band.dim - 1] = i;
        const Counted<T> c = counted(a, at);
        if (c.counts == 0) return;
        const T* z = a.spectrum + 2 * ((transform * lines.count + line) * lines.length + i);
        const T power = c.factor * (z[0] * z[0] + z[1] * z[1]);
        most = power > most ? power : most;
      });
      largest[thread] = double(most);
    });
    reduce<Larger>(block, largest);
    block.each([&](int thread) {
      if (thread == 0) a.partial[index] = largest[0];
    });
  }
};

template <class T>
struct Largest {
  static constexpr int kMostThreads = kThreads, kLeastBlocks = 1;
  const double* partial;  // (transforms, count)
  T* out;
  int count;

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    double* largest = reinterpret_cast<double*>(block.shared);
    block.each([&](int thread) {
      largest[thread] = 0;
      for (int i = thread; i < count; i += kThreads)
        largest[thread] = Larger()(partial[int64_t(index) * count + i], largest[thread]);
    });
    reduce<Larger>(block, largest);
    block.each([&](int thread) {
      if (thread == 0) out[index] = focal_divisor(T(largest[0]));
    });
  }
};

template <class T>
struct Focal {
  static constexpr int kMostThreads = kThreads, kLeastBlocks = 1;
  WeighArgs<T> a;
  Lines lines;  // of the spectrum

  FASTSPEC_FORCE_INLINE T weight(T ratio) const {
    if (a.exponent == 0.5) return std::sqrt(ratio);
    return a.exponent == 1 ? ratio : std::pow(ratio, T(a.exponent));
  }

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    double* sums = reinterpret_cast<double*>(block.shared);
    const int64_t transform = index / lines.blocks();
    block.each([&](int thread) {
      const T largest = a.largest[transform], twice = T(2 * a.scale);
      double sum = 0;
      lines.each(index % lines.blocks(), thread, [&](int line, int i) {
        int at[kMaxDim];
        along(line, a.band.cells, a.band.dim, at);
        at[a.band.dim - 1] = i;
        const Counted<T> c = counted(a, at);
        T* z = a.spectrum + 2 * ((transform * lines.count + line) * lines.length + i);
        T gain = 0;
        if (c.counts > 0) {
          const T power = c.factor * (z[0] * z[0] + z[1] * z[1]), w = c.counts * weight(power / largest);
          sum += (at[0] > 0 ? 2.0 : 1.0) * double(w * power);
          gain = twice * w * c.factor;
        }
        for (int q = 0; q < 2; ++q) z[q] = c.counts > 0 ? gain * z[q] : T(0);
      });
      sums[thread] = sum;
    });
    reduce<Add>(block, sums);
    block.each([&](int thread) {
      if (thread == 0) a.partial[index] = a.scale * sums[0];
    });
  }
};

}  // namespace

int64_t weigh_workspace(const Band& band, int64_t transforms) {
  return transforms * lines_of(band.cells, band.dim).blocks();
}

template <class T>
void weigh(const WeighArgs<T>& a, void* stream) {
  const Lines lines = lines_of(a.band.cells, a.band.dim);
  const Shape all{a.transforms * lines.blocks(), kThreads, kThreads * sizeof(double)};
  const Shape each{a.transforms, kThreads, kThreads * sizeof(double)};
  if (a.focal()) {
    launch(FocalPeak<T>{a, lines}, all, stream);
    launch(Largest<T>{a.partial, a.largest, lines.blocks()}, each, stream);
    launch(Focal<T>{a, lines}, all, stream);
  } else {
    launch(Weigh<T>{a, lines}, all, stream);
  }
  launch(Totals{a.partial, a.loss, lines.blocks()}, each, stream);
}

template void weigh(const WeighArgs<float>&, void*);
template void weigh(const WeighArgs<double>&, void*);

}  // namespace fastspec::cuda
