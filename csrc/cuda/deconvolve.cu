// Between the FFT of the fine grid and the modes: deconvolve and crop, and its transpose.
#include "lines.h"
#include "stages.h"

namespace fastspec::cuda {
namespace {

constexpr int kThreads = kLineThreads;

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
          if (d == b.dim - 1 && place == b.modes[d] - 1) factor *= a.edge;
          mode = mode * b.modes[d] + place;
          factors += b.modes[d];
        }
        const int64_t fine = (transform * lines.count + line) * lines.length + i;
        for (int q = 0; q < 2; ++q) a.fine[2 * fine + q] = inside ? factor * a.modes[2 * mode + q] : T(0);
      });
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

template void deconvolve(const DeconvolveArgs<float>&, void*);
template void deconvolve(const DeconvolveArgs<double>&, void*);
template void pad(const DeconvolveArgs<float>&, void*);
template void pad(const DeconvolveArgs<double>&, void*);

}  // namespace fastspec::cuda
