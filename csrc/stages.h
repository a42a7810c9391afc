// What crosses from the ops to the kernels, the same on every device: raw pointers to memory of that device. Sizes and
// strides are in elements, not bytes; complex numbers are pairs. What one device alone needs is null on the other.
#pragma once
#include <cstddef>

#include "plan/band.h"
#include "plan/fold.h"
#include "plan/grid.h"

namespace fastspec {

// --- gridding ---

template <class T>
struct SortArgs {
  Grid grid;
  int width;
  Rate cells_per_unit[kMaxDim];
  const void* x;  // (sets, count, dim), float32 or float64
  bool x_single;
  int64_t sets, count;
  typename Fixed<T>::type* position;  // (sets, count, dim)
  int32_t* order;                     // (sets, count); on CUDA points without a place come last, in no tile
  int32_t* starts;                    // (sets, tile_count + 1)
  bool* finite;                       // CPU, (sets): false where a coordinate has no place; that set is not sorted
  void* space;                        // CUDA: work space, cuda::sort_workspace bytes
};

template <class T>
struct SpreadArgs {
  Grid grid;
  Points<T> points;
  int width;
  bool complex;
  const T* polynomials;  // (window_degree + 1, width)
  const T* strengths;    // (sets, channels, count)
  T* out;                // (sets, channels, *cells); every cell is written
  int64_t channels;
  bool ordered;  // on CUDA: sums in an order that is the same every time, which takes longer
};

template <class T>
struct InterpolateArgs {
  Grid grid;
  Points<T> points;
  int width;
  bool complex;
  const T* polynomials;  // (window_degree + 1, width)
  const T* in;           // (sets, channels, *cells)
  int64_t channels;
  T* values;  // (sets, channels, count), NaN for points in no tile; null where not wanted
  T* slopes;  // (sets, channels, count, dim), per cell of the grid; null where not wanted
  // Or what the slopes are for, if not null: strengths as values, and the sum over channels of Re(conj(strength)
  // slope), (sets, count, dim).
  const T* strengths;
  T* gradient;
};

// --- between FFT and modes ---

// Both arrays are complex; strides count complex numbers.
template <class T>
struct DeconvolveArgs {
  Band band;
  int64_t transforms;
  const T* factors;  // per axis, one after the other: modes[0] + modes[1] + ... numbers
  T edge;            // times the last factor of all, of pad only: see ops/spectrum.cpp
  T* fine;
  int64_t fine_stride[kMaxDim + 1];  // of the transform, then of each axis
  T* modes;                          // (transforms, *modes), contiguous
};

// What the loss weighs by: a table of weights, or |F|^alpha over its maximum, found from the spectrum itself.
enum class Rule { kTable, kFocal };

template <class T>
struct WeighArgs {
  Band band;  // of the spectrum's axes, the halved one first: which wavenumbers have weights, in FFT order
  int64_t transforms;
  Rule rule;
  const T* weight;  // a table (weights, *band.modes), weights = 1 or transforms; or the factors of |F|^2, per axis, one
  int64_t weights;  // after the other
  double scale;     // of all weights
  // of the focal rule
  bool even[kMaxDim];  // whether an axis has an even number of modes: N/2, and -N/2 too, are at the edges of its band
  double exponent;     // of |F|^2 over its maximum
  T* spectrum;         // (transforms, *band.cells) complex; becomes the gradient's, 2 * scale * weight * spectrum
  double* loss;     // (transforms): sum of m * scale * weight * |spectrum|^2, m = 1 at wavenumber 0 of axis 0, else 2
  double* partial;  // work space: on a CPU, of a table, (transforms, band.modes[0]); on CUDA weigh_workspace numbers
  T* largest;       // work space on CUDA, of the focal rule: (transforms), |F|^2

  bool focal() const { return rule == Rule::kFocal; }
  // Where an axis' factors begin.
  int64_t factors(int axis) const { return axis == 0 ? 0 : factors(axis - 1) + band.modes[axis - 1]; }
};

// The largest |F|^2 as a number that others may be divided by: 1 if they are hardly above the smallest numbers of all.
template <class T>
FASTSPEC_BOTH T focal_divisor(T largest) {
  constexpr T least = sizeof(T) == 4 ? T(1e-32) : T(1e-302);
  return largest > least ? largest : T(1);
}

// A line of the half spectrum: non-negative wavenumbers, a gap, negative ones.
template <class T>
struct WeighLine {
  T* z;
  int64_t cells, positive, negative;
  const T* weight;  // of the non-negative wavenumbers, then of the negative ones
  // of the focal rule
  bool even;          // whether the last of the non-negative ones and the first of the negative ones are N/2 and -N/2
  T outer;            // factor along the other axes
  bool above, below;  // whether another axis is at N/2, or at -N/2
};

// --- FFTs of the CPU ---

// Distances between rows in complex numbers.
template <class T>
struct TransposeArgs {
  int64_t rows, columns;
  const T* from;
  int64_t from_stride;
  T* to;  // (columns, rows)
  int64_t to_stride;
  const T* from_factors;  // of the numbers in `from`, at the same places; null for none
  const T* to_factors;    // of the numbers in `to`
};

// Row r of complex numbers, from 0 up, times exp(i angle (first + r) column).
template <class T>
struct TwiddleArgs {
  int64_t rows, columns, first;
  double angle;
  T* data;
};

constexpr int64_t kMostSmallCells = 512;

// The loss's step on a small grid between spreading and interpolation, by a table of weights.
template <class T>
struct SmallLineArgs {
  int64_t cells, modes, padded;  // padded: modes up to whole vectors
  const T *cosine, *sine;        // (cells / 2 + 1, padded), zero beyond the modes
  int64_t transforms;
  T* grid;  // (transforms, cells); becomes the gradient's
  const T* weight;
  int64_t weights;
  double scale;
  double* loss;  // (transforms)
};

// --- between a network's outputs, (groups, points, channels), and strengths, (groups, channels, points) ---

template <class T>
struct ResidualArgs {
  int64_t groups, points, channels;
  const T* quadrature;  // (points), or null for 1
  const T* pred;        // (groups, points, channels)
  const T* target;      // as pred
  T* strengths;         // (groups, channels, points)
};

template <class T>
struct ResidualGradientArgs {
  int64_t groups, points, channels;
  const T* quadrature;  // (points), or null for 1
  const T* strengths;   // the gradient in them, (groups, channels, points)
  T* pred;              // (groups, points, channels)
};

// The rows' sums to the loss.
template <class T>
struct TotalArgs {
  const double* sums;  // (count)
  int64_t count;
  bool adds;  // whether they are added up
  T* loss;    // one, or (count)
};

template <class T>
struct HadamardArgs {
  int64_t rows, length, inner;  // length: a power of two
  double scale;                 // of integers: 1
  const T* in;                  // (rows, length, inner)
  T* out;                       // as in
};

// --- sums over all pairs: see cpu/direct.h, cpu/exponential_sums.h and cpu/gaussian.h ---

constexpr int64_t kPanel = 4;  // numbers of two rows A_l; also what the rows of the first axis are padded to

// Wavenumbers of an axis. Tables of the first axis have rows for cosines, then for sines but that of zero.
struct DirectAxis {
  int64_t modes = 1;
  bool halved = false;  // 0 ... N/2 only
  Rate cycles_per_unit{};
  double radians_per_unit = 0;

  int64_t count() const { return halved ? modes / 2 + 1 : modes; }
  int64_t least() const { return halved ? 0 : -(modes / 2); }
  double shift() const { return halved || modes % 2 ? 0 : 0.5; }
  int64_t cosines() const { return shift() ? modes / 2 : modes / 2 + 1; }
  int64_t sines() const { return shift() ? cosines() : cosines() - 1; }
  int64_t rows() const { return (cosines() + sines() + kPanel - 1) / kPanel * kPanel; }
  int64_t row_of_sine(int64_t m) const { return cosines() + m - (shift() ? 0 : 1); }
  int64_t place(int64_t k, bool centered) const {
    return halved ? k : centered ? k + modes / 2 : k < 0 ? k + modes : k;
  }
};

template <class T>
struct DirectArgs {
  int dim, sign;
  bool real, centered;  // strengths are real, the last axis halved
  DirectAxis axis[3];   // the first, and those of l: of fewer dimensions some are of one mode
  int64_t stride[3];    // of the modes along these
  int64_t sets, points, channels, chunks;
  const void* x;  // (sets, points, dim), float64, or T where x_own
  bool x_own;
  const T *strengths, *spectrum;  // real or complex (sets, channels, points), (..., *modes)
  T *modes, *values;              // what comes of strengths by type 1, and of the spectrum by type 2 if not null
  T* gradient;     // if not null (sets, points, dim), of Re sum_j conj(strengths_j) values_j in the points
  double* totals;  // (sets, channels, chunks, size())
  T* packed;       // (sets, channels, terms(), size())

  int64_t lefts() const { return axis[1].count() * axis[2].count(); }
  // Numbers of one spectrum as products leave and take them: (pairs of l, rows, kPanel).
  int64_t size() const { return (lefts() + 1) / 2 * axis[0].rows() * kPanel; }
  // Of a type 2: slopes along each axis, then values.
  int64_t slopes() const { return gradient ? dim : 0; }
  int64_t terms() const { return slopes() + (values ? 1 : 0); }
  int coordinate(int which) const { return which == 0 ? 0 : which == 2 ? dim - 1 : 1; }
};

// Parts of the points that may be summed at once: fixed, so that sums are too, and few where spectra are large.
inline int64_t direct_chunks(int64_t points, int64_t size) {
  constexpr int64_t least_points = 1024, most = 32, numbers = int64_t(1) << 22;
  int64_t chunks = points / least_points < most ? points / least_points : most;
  if (chunks * size > numbers) chunks = numbers / size;
  return chunks < 1 ? 1 : chunks;
}

// Tiles of outputs that meet a block of inputs together, and the inputs of a block.
constexpr int64_t kTilesPerTask = 4, kInputBlock = 128, kMostLanes = 16;

// Work space in doubles, for the widest registers.
struct ExponentialSumsSpace {
  int64_t from, to, totals;
};

// What both kernels take. Numbers of the inputs and outputs, `strengths`, are complex pairs or real.
template <class T>
struct ExponentialSumsArgs {
  int64_t inputs, outputs, dim, rows;
  const T *x, *s;  // (inputs, dim), (outputs, dim)
  int sign;
  const T* strengths;  // (rows, inputs)
  const T* spectrum;   // (rows, outputs), of the gradient only
  T* sums;             // (rows, outputs), or (outputs, dim) of the gradient
  int64_t chunks;      // parts of the inputs that may be summed at once: fixed, so that sums are too
  double *from, *to, *totals;
  T* packed;  // (tiles, rows, 2, lanes): the outputs' numbers, of the gradient only

  int64_t chunk_begin(int64_t c) const {
    const int64_t blocks = (inputs + kInputBlock - 1) / kInputBlock;
    const int64_t begin = blocks * c / chunks * kInputBlock;
    return begin < inputs ? begin : inputs;
  }
};

// Few outputs leave threads idle unless the inputs are divided too.
inline int64_t exponential_chunks(int64_t inputs, int64_t outputs) {
  constexpr int64_t wanted_tasks = 32, least_inputs = 8 * kInputBlock;
  const int64_t tasks = (outputs + kMostLanes - 1) / kMostLanes;
  const int64_t most = inputs / least_inputs, chunks = tasks ? wanted_tasks / tasks : 1;
  return chunks < most ? (chunks < 1 ? 1 : chunks) : (most < 1 ? 1 : most);
}

// `values`: numbers summed for each output.
inline ExponentialSumsSpace exponential_space(int64_t inputs, int64_t outputs, int64_t dim, int64_t values,
                                              int64_t chunks) {
  const int64_t padded = (outputs + kMostLanes - 1) / kMostLanes * kMostLanes;
  return {3 * inputs * dim, 2 * padded * dim, chunks * values * padded};
}

template <class T>
struct GaussianArgs {
  int64_t points, dim, channels, widths;
  const T* x;           // (points, dim)
  const T* y;           // (sets, points, channels)
  int64_t sets;         // 1, or widths: values for each width
  const double* rates;  // (widths): log2(e) / (2 delta)
  T* sums;              // (widths, points, channels)
  T* normalisers;       // (widths, points)
  const T* cotangent;   // (widths, points, channels), of the gradient only
  T* gradient;          // (points, dim)
};

}  // namespace fastspec
