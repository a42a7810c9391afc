// What the planner's costs are made of: see plan.h. benchmarks/tools/fit_planner.py measures the values and writes them
// here; the names are to be read.
#pragma once
#include "grid.h"

namespace fastspec {

// Nanoseconds on one thread.
struct DirectRates {
  double coordinate;   // of each coordinate of each point
  double exponential;  // of each entry of the tables of exponentials, of each point
  double other;        // of each product of the axes but the first, of each point
  double sum;          // of each real multiplication and addition, of each point
  double number;       // of each number of the sums, once
};

// Nanoseconds on one thread.
struct CpuRates {
  double axis;            // of each axis of a point
  double tap;             // of each tap there, and of each cache line of it beyond the first
  double row;             // of each row of cells that a point touches
  double row_byte;        // of each byte of such a row
  double dense_point;     // of a point of cpu/dense.h, in place of the four above
  double halo_byte;       // of each byte of the grid, tiles with their halos
  double fft_byte;        // of each byte of the grid, times log2 of its cells
  double share[kMaxDim];  // of all these where points are few, by dimension
  double call[kMaxDim];   // a gridded transform, however small its data, Python and dispatch included
  double step_ffts;       // the loss's step in more than one dimension, beyond its two transforms
  double direct_call;     // direct sums, however small their data
  DirectRates direct[2];  // in float64, in float32
};

// Of a whole GPU; instructions are a thread's.
struct CudaRates {
  double instructions_per_ns;
  double bytes_per_ns;
  double double_precision;   // times as long
  double per_cell[kMaxDim];  // instructions, of a point's window, spreading and interpolating, by dimension
  double complex_cell;       // times as many, of complex numbers
  double per_tap;            // instructions, of each tap
  double per_term;           // and of each term of its polynomial
};

// Measured by benchmarks/tools/fit_planner.py, 2026-11-27, nanoseconds of one thread,
// on Intel(R) Xeon(R) Processor @ 2.80GHz, 2 cores, v4 kernels, torch 2.13.0+cpu.
// Relative residuals, median and nine in ten: stages and transforms 18% and 39%; small transforms 15% and 39%; direct
// sums 12% and 29%; steps 16% and 32%.
inline constexpr CpuRates cpu_rates{
    .axis = 2.358,
    .tap = 0.3404,
    .row = 0,
    .row_byte = 0.02284,
    .dense_point = 4.816,
    .halo_byte = 0.167,
    .fft_byte = 0.07974,
    .share = {1.458, 0.9279, 0.9154},
    .call = {8.377e+04, 1.112e+05, 9.81e+04},
    .step_ffts = 5.414e+04,
    .direct_call = 4.932e+04,
    .direct = {{0.6414, 1.317, 0.583, 0.03734, 8.996}, {0.6726, 0.5027, 0.3321, 0.02115, 5.447}},
};

// Reckoned, not measured: instructions are counted in the kernels, and rates are half and four fifths of what is
// published of an H100 (SXM).
inline constexpr CudaRates cuda_rates{
    .instructions_per_ns = 14826.24,
    .bytes_per_ns = 2680,
    .double_precision = 2,
    .per_cell = {18, 22, 11},
    .complex_cell = 1.3,
    .per_tap = 4,
    .per_term = 1,
};

}  // namespace fastspec
