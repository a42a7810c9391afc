// The loss's pass over half spectra between its FFTs, by either rule: see cpu/weigh.h.
#include "lines.h"
#include "stages.h"

namespace fastspec::cuda {
namespace {

constexpr int kThreads = kLineThreads;

struct Add {
  static constexpr bool kDivides = false;
  FASTSPEC_FORCE_INLINE double operator()(double a, double b) const { return a + b; }
};
struct Larger {
  static constexpr bool kDivides = true;
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

// How many times a wavenumber of the half spectrum counts, for itself and its negative.
FASTSPEC_FORCE_INLINE double times(const int* at) { return at[0] > 0 ? 2.0 : 1.0; }

// By a table: z at a place of the spectrum becomes the gradient's.
template <class T>
struct Table {
  using Combine = Add;
  static constexpr bool kScaled = true;

  static FASTSPEC_FORCE_INLINE void meet(const WeighArgs<T>& a, int64_t transform, const int* at, T* z, double& sum) {
    const Band& b = a.band;
    int64_t weight = a.weights > 1 ? transform : 0;
    bool inside = true;
    for (int d = 0; d < b.dim && inside; ++d) {
      const int64_t place = b.place(d, at[d]);
      inside = place >= 0;
      weight = weight * b.modes[d] + place;
    }
    const T w = inside ? a.weight[weight] : T(0), re = z[0], im = z[1], gain = T(2 * a.scale);
    if (inside) sum += times(at) * double(w * (re * re + im * im));
    z[0] = inside ? gain * w * re : T(0);
    z[1] = inside ? gain * w * im : T(0);
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

// The largest |F|^2.
template <class T>
struct FocalPeak {
  using Combine = Larger;
  static constexpr bool kScaled = false;

  static FASTSPEC_FORCE_INLINE void meet(const WeighArgs<T>& a, int64_t, const int* at, T* z, double& most) {
    const Counted<T> c = counted(a, at);
    if (c.counts > 0) most = Larger()(double(c.factor * (z[0] * z[0] + z[1] * z[1])), most);
  }
};

// By the focal rule, as Table.
template <class T>
struct Focal {
  using Combine = Add;
  static constexpr bool kScaled = true;

  static FASTSPEC_FORCE_INLINE T weight(T ratio, double exponent) {
    if (exponent == 0.5) return std::sqrt(ratio);
    return exponent == 1 ? ratio : std::pow(ratio, T(exponent));
  }

  static FASTSPEC_FORCE_INLINE void meet(const WeighArgs<T>& a, int64_t transform, const int* at, T* z, double& sum) {
    const Counted<T> c = counted(a, at);
    T gain = 0;
    if (c.counts > 0) {
      const T power = c.factor * (z[0] * z[0] + z[1] * z[1]);
      const T w = c.counts * weight(power / a.largest[transform], a.exponent);
      sum += times(at) * double(w * power);
      gain = T(2 * a.scale) * w * c.factor;
    }
    for (int q = 0; q < 2; ++q) z[q] = c.counts > 0 ? gain * z[q] : T(0);
  }
};

// Every place of the spectrum, and the numbers of a block's places made one.
template <class T, class Rule>
struct Weigh {
  static constexpr int kMostThreads = kThreads, kLeastBlocks = 1;
  WeighArgs<T> a;
  Lines lines;  // of the spectrum

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    double* numbers = reinterpret_cast<double*>(block.shared);
    const int64_t transform = index / lines.blocks();
    block.each([&](int thread) {
      double number = 0;
      lines.each(index % lines.blocks(), thread, [&](int line, int i) {
        int at[kMaxDim];
        along(line, a.band.cells, a.band.dim, at);
        at[a.band.dim - 1] = i;
        Rule::meet(a, transform, at, a.spectrum + 2 * ((transform * lines.count + line) * lines.length + i), number);
      });
      numbers[thread] = number;
    });
    reduce<typename Rule::Combine>(block, numbers);
    block.each([&](int thread) {
      if (thread == 0) a.partial[index] = Rule::kScaled ? a.scale * numbers[0] : numbers[0];
    });
  }
};

// The numbers of a transform's blocks made one: a sum, or the largest, which others are then divided by.
template <class Combine, class Out>
struct Combined {
  static constexpr int kMostThreads = kThreads, kLeastBlocks = 1;
  const double* partial;  // (transforms, count)
  Out* out;
  int count;

  template <class Block>
  FASTSPEC_BOTH void run(Block& block, int index) const {
    double* numbers = reinterpret_cast<double*>(block.shared);
    block.each([&](int thread) {
      numbers[thread] = 0;
      for (int i = thread; i < count; i += kThreads)
        numbers[thread] = Combine()(partial[int64_t(index) * count + i], numbers[thread]);
    });
    reduce<Combine>(block, numbers);
    block.each([&](int thread) {
      if (thread == 0) out[index] = Combine::kDivides ? focal_divisor(Out(numbers[0])) : Out(numbers[0]);
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
    launch(Weigh<T, FocalPeak<T>>{a, lines}, all, stream);
    launch(Combined<Larger, T>{a.partial, a.largest, lines.blocks()}, each, stream);
    launch(Weigh<T, Focal<T>>{a, lines}, all, stream);
  } else {
    launch(Weigh<T, Table<T>>{a, lines}, all, stream);
  }
  launch(Combined<Add, double>{a.partial, a.loss, lines.blocks()}, each, stream);
}

template void weigh(const WeighArgs<float>&, void*);
template void weigh(const WeighArgs<double>&, void*);

}  // namespace fastspec::cuda
