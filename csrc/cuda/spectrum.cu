// Between the FFT of the fine grid and the modes: deconvolve and crop, its transpose, and the loss's fused pass.
#include "../focal_divisor.h"
#include "kernels.h"
#include "launch.h"

namespace fastspec::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kSegment = 2048;  // numbers of a line that a block does

// An array as lines along its fastest axis. A block does a segment of each of several lines of one transform, so that
// indices are divided once to a line and not to a number.
struct Lines {
  int count, length;  // of a transform
  int lanes;          // threads to a line, a power of two
  int groups, segments;

  FASTSPEC_BOTH int per_block() const { return kThreads / lanes; }
  FASTSPEC_BOTH int blocks() const { return groups * segments; }

  // body(line, place on the line) for a thread's share of block `index` of a transform
  template <class Body>
  FASTSPEC_FORCE_INLINE void each(int index, int thread, Body&& body) const {
    const int line = index / segments * per_block() + thread / lanes, first = index % segments * kSegment;
    const int end = first + kSegment < length ? first + kSegment : length;
    if (line >= count) return;
    for (int i = first + thread % lanes; i < end; i += lanes) body(line, i);
  }
};

Lines lines_of(const int64_t* extent, int dim) {
  Lines l{};
  int64_t count = 1;
  for (int a = 0; a + 1 < dim; ++a) count *= extent[a];
  if (count >= int64_t(1) << 31 || extent[dim - 1] >= int64_t(1) << 31)
    throw std::runtime_error("fastspec on CUDA: a spectrum with too many modes");
  l.count = int(count);
  l.length = int(extent[dim - 1]);
  l.lanes = 1;
  while (l.lanes < kThreads && l.lanes < l.length) l.lanes *= 2;
  l.groups = int(ceil_div(l.count, l.per_block()));
  l.segments = int(ceil_div(l.length, kSegment));
  return l;
}

// A line's index along each axis but the last.
FASTSPEC_FORCE_INLINE void along(int line, const int64_t* extent, int dim, int* index) {
  for (int a = dim - 2; a >= 0; --a) {
    index[a] = line % int(extent[a]);
    line /= int(extent[a]);
  }
}

// --- deconvolve and pad ---

template <class T>
struct Deconvolve {
  static constexpr int kMostThreads = kThreads, kLeastBlocks = 1;
  DeconvolveArgs<T> a;
  Lines lines;  // of the modes

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    const int64_t transform = index / lines.blocks();
    const Band& b = a.band;
    block.each([&](int thread) {
      lines.each(index % lines.blocks(), thread, [&](int line, int i) {
        int at[kMaxDim];
        along(line, b.modes, b.dim, at);
        at[b.dim - 1] = i;
        const T* factors = a.factors;
        T factor = 1;
        int64_t fine = transform * a.fine_stride[0];
        for (int d = 0; d < b.dim; ++d) {
          factor *= factors[at[d]];
          fine += b.fine(d, at[d]) * a.fine_stride[d + 1];
          factors += b.modes[d];
        }
        const int64_t mode = (transform * lines.count + line) * lines.length + i;
        for (int q = 0; q < 2; ++q) a.modes[2 * mode + q] = factor * a.fine[2 * fine + q];
      });
    });
  }
};

// Every cell of the fine spectrum, which is contiguous, is written.
template <class T>
struct Pad {
  static constexpr int kMostThreads = kThreads, kLeastBlocks = 1;
  DeconvolveArgs<T> a;
  Lines lines;  // of the fine spectrum

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    const int64_t transform = index / lines.blocks();
    const Band& b = a.band;
    block.each([&](int thread) {
      lines.each(index % lines.blocks(), thread, [&](int line, int i) {
        int at[kMaxDim];
        along(line, b.cells, b.dim, at);
        at[b.dim - 1] = i;
        const T* factors = a.factors;
        T factor = 1;
        int64_t mode = transform;
        bool inside = true;
        for (int d = 0; d < b.dim && inside; ++d) {
          const int64_t place = b.place(d, at[d]);
          inside = place >= 0;
          if (inside) factor *= factors[place];
          mode = mode * b.modes[d] + place;
          factors += b.modes[d];
        }
        const int64_t fine = (transform * lines.count + line) * lines.length + i;
        for (int q = 0; q < 2; ++q) a.fine[2 * fine + q] = inside ? factor * a.modes[2 * mode + q] : T(0);
      });
    });
  }
};

// --- weigh ---

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
    const T slope = T(2 * a.scale);
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
        z[0] = inside ? slope * w * re : T(0);
        z[1] = inside ? slope * w * im : T(0);
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

// --- the focal weight: see cpu/focal.h ---

// The factor of |F|^2 at a place of the spectrum, and how much it counts: all, half, or not at all.
template <class T>
struct Counted {
  T factor, counts;
};

template <class T>
FASTSPEC_FORCE_INLINE Counted<T> counted(const FocalArgs<T>& a, const int* at) {
  const Band& b = a.band;
  const T* factors = a.factors;
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
  FocalArgs<T> a;
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
  FocalArgs<T> a;
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
        T slope = 0;
        if (c.counts > 0) {
          const T power = c.factor * (z[0] * z[0] + z[1] * z[1]), w = c.counts * weight(power / largest);
          sum += (at[0] > 0 ? 2.0 : 1.0) * double(w * power);
          slope = twice * w * c.factor;
        }
        for (int q = 0; q < 2; ++q) z[q] = c.counts > 0 ? slope * z[q] : T(0);
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

template <class T>
void deconvolve(const DeconvolveArgs<T>& a, void* stream) {
  const Lines lines = lines_of(a.band.modes, a.band.dim);
  launch(Deconvolve<T>{a, lines}, {a.transforms * lines.blocks(), kThreads, 0}, stream);
}

template <class T>
void pad(const DeconvolveArgs<T>& a, void* stream) {
  const Lines lines = lines_of(a.band.cells, a.band.dim);
  launch(Pad<T>{a, lines}, {a.transforms * lines.blocks(), kThreads, 0}, stream);
}

int64_t weigh_workspace(const Band& band, int64_t transforms) {
  return transforms * lines_of(band.cells, band.dim).blocks();
}

template <class T>
void weigh(const WeighArgs<T>& a, void* stream) {
  const Lines lines = lines_of(a.band.cells, a.band.dim);
  const size_t sums = kThreads * sizeof(double);
  launch(Weigh<T>{a, lines}, {a.transforms * lines.blocks(), kThreads, sums}, stream);
  launch(Totals{a.partial, a.loss, lines.blocks()}, {a.transforms, kThreads, sums}, stream);
}

template <class T>
void weigh_focal(const FocalArgs<T>& a, void* stream) {
  const Lines lines = lines_of(a.band.cells, a.band.dim);
  const Shape all{a.transforms * lines.blocks(), kThreads, kThreads * sizeof(double)};
  const Shape each{a.transforms, kThreads, kThreads * sizeof(double)};
  launch(FocalPeak<T>{a, lines}, all, stream);
  launch(Largest<T>{a.partial, a.largest, lines.blocks()}, each, stream);
  launch(Focal<T>{a, lines}, all, stream);
  launch(Totals{a.partial, a.loss, lines.blocks()}, each, stream);
}

template void deconvolve(const DeconvolveArgs<float>&, void*);
template void deconvolve(const DeconvolveArgs<double>&, void*);
template void pad(const DeconvolveArgs<float>&, void*);
template void pad(const DeconvolveArgs<double>&, void*);
template void weigh(const WeighArgs<float>&, void*);
template void weigh(const WeighArgs<double>&, void*);
template void weigh_focal(const FocalArgs<float>&, void*);
template void weigh_focal(const FocalArgs<double>&, void*);

}  // namespace fastspec::cuda
