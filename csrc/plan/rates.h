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

// Nanoseconds of a whole GPU.
struct CudaRates {
  double tap;               // of each tap of a point, spread or interpolated: the mean
  double term;              // and of each term of its polynomial
  double cell[kMaxDim];     // of each cell of its window, by dimension
  double complex_numbers;   // times as long as real ones
  double double_precision;  // times as long as float32
  double byte;              // of each byte that is moved of the grid, by the FFT too, and of the points
  double halo_byte;         // of each byte of tiles with their halos
  double call;              // a gridded transform, however small its data, Python and dispatch included
  double direct_call;       // direct sums, however small their data
  double pair;              // of a point and a mode there
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

// Fitted by benchmarks/tools/fit_planner.py, 2026-11-28, nanoseconds of the whole device,
// on NVIDIA H100 80GB HBM3, as kernels.csv has it.
// Relative residuals, median and nine in ten: stages and transforms 6% and 19%.
inline constexpr CudaRates cuda_rates{
    .tap = 0.002768,
    .term = 0,
    .cell = {0, 4.017e-05, 0.0007861},
    .complex_numbers = 1.641,
    .double_precision = 2,
    .byte = 0.0006132,
    .halo_byte = 0.0001072,
    .call = 2.094e+05,
    .direct_call = 2.923e+05,
    .pair = 0.00225,
};

}  // namespace fastspec
