// The CUDA stages: what crosses from the ops to the kernels. Raw pointers to memory of the current device, and a
// stream. Strides and sizes are in elements, not bytes; complex numbers are pairs.
#pragma once
#include <cstddef>

#include "../band.h"
#include "../grid.h"

namespace fastspec::cuda {

template <class T>
struct SortArgs {
  Grid grid;
  int width;
  double inverse_period[kMaxDim];
  const void* x;  // (sets, count, dim), float32 or float64
  bool x_single;
  int64_t sets;
  int64_t count;
  typename Fixed<T>::type* position;  // (sets, count, dim)
  int32_t* order;                     // (sets, count); points that are not finite come last, in no tile
  int32_t* starts;                    // (sets, tile_count + 1)
  // work space
  uint32_t *keys, *sorted_keys;  // (sets, count) each
  int32_t* indices;              // (sets, count)
  void* sorting;                 // sort_workspace bytes
  size_t sorting_bytes;
};

template <class T>
struct SpreadArgs {
  Grid grid;
  Points<T> points;
  int width;
  const T* polynomials;  // (window_degree + 1, width)
  const T* strengths;    // (sets, channels, count)
  T* out;                // (sets, channels, *cells); every cell is written
  int64_t channels;
};

template <class T>
struct InterpolateArgs {
  Grid grid;
  Points<T> points;
  int width;
  const T* polynomials;  // (window_degree + 1, width)
  const T* in;           // (sets, channels, *cells)
  T* values;             // (sets, channels, count), NaN for points in no tile; null where not wanted
  T* slopes;             // (sets, channels, count, dim), per cell of the grid; null where not wanted
  int64_t channels;
  // Or what the slopes are for, if not null: strengths as values, and the sum over channels of Re(conj(strength)
  // slope), (sets, count, dim).
  const T* strengths;
  T* gradient;
};

// Both arrays are complex; strides count complex numbers.
template <class T>
struct DeconvolveArgs {
  Band band;
  int64_t transforms;
  const T* factors;  // per axis, one after the other: modes[0] + modes[1] + ... numbers
  T* fine;
  int64_t fine_stride[kMaxDim + 1];  // of the transform, then of each axis
  T* modes;                          // (transforms, *modes), contiguous
};

template <class T>
struct WeighArgs {
  Band band;  // of the spectrum's axes, the halved one first: which wavenumbers have weights, in FFT order
  int64_t transforms;
  const T* weight;  // (weights, *band.modes), weights = 1 or transforms
  int64_t weights;
  double scale;     // of all weights
  T* spectrum;      // (transforms, *band.cells) complex; becomes the gradient's, 2 * scale * weight * spectrum
  double* loss;     // (transforms): sum of m * scale * weight * |spectrum|^2, m = 1 at wavenumber 0 of axis 0, else 2
  double* partial;  // weigh_workspace numbers
};

template <class T>
struct HadamardArgs {
  int64_t rows, length, inner;  // length: a power of two
  double scale;                 // of integers: 1
  const T* in;                  // (rows, length, inner)
  T* out;                       // as in
};

template <class T>
struct FocalArgs {
  Band band;           // as of WeighArgs
  bool even[kMaxDim];  // whether an axis has an even number of modes: N/2, and -N/2 too, are at the edges of its band
  int64_t transforms;
  const T* factors;  // of |F|^2, per axis, one after the other: sum of band.modes numbers
  double exponent;   // of |F|^2 over its maximum
  double scale;
  T* spectrum;      // as of WeighArgs
  double* loss;     // (transforms)
  T* largest;       // (transforms), |F|^2
  double* partial;  // weigh_workspace numbers
};

// Bytes of SortArgs::sorting for as many keys below `keys`.
size_t sort_workspace(int64_t count, int64_t keys);
// Keys of a set: its tiles, or cells where sorted_by_cell says so, and one for points that are not finite.
int64_t sort_keys(const Grid& grid, int64_t count);

template <class T> void sort(const SortArgs<T>& a, void* stream);
// `ordered`: sums in an order that is the same every time, which takes longer.
template <class T> void spread(const SpreadArgs<T>& a, bool complex, bool ordered, void* stream);
template <class T> void interpolate(const InterpolateArgs<T>& a, bool complex, void* stream);
template <class T> void deconvolve(const DeconvolveArgs<T>& a, void* stream);
template <class T> void pad(const DeconvolveArgs<T>& a, void* stream);
int64_t weigh_workspace(const Band& band, int64_t transforms);
template <class T> void weigh(const WeighArgs<T>& a, void* stream);
template <class T> void hadamard(const HadamardArgs<T>& a, void* stream);
template <class T> void weigh_focal(const FocalArgs<T>& a, void* stream);

}  // namespace fastspec::cuda
