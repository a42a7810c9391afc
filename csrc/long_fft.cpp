// The FFT of one long line in blocks that stay in cache: as a matrix of rows x columns, FFTs of its columns, twiddle
// factors, FFTs of its rows (Bailey 1990, "FFTs in external or hierarchical memory"). Libraries made for short lines
// take several times as long for one long line as for as many numbers in short ones.
#include <algorithm>
#include <cmath>

#include "fft.h"
#include "ops.h"
#define FASTSPEC_LEVEL declarations
#include "cpu/kernels.h"
#include "cpu/parallel.h"
#include "cpu/spectrum.h"

namespace fastspec {
namespace {

constexpr int64_t kBlock = 64;  // lines at a time

// The larger power of two in either side of a matrix of n numbers.
int64_t power_of_two(int64_t rows, int64_t n) { return std::max(rows & -rows, (n / rows) & -(n / rows)); }

// Rows of a nearly square matrix of n numbers, neither side a multiple of a large power of two if that can be: numbers
// at such distances share few places of a cache.
int64_t rows_for(int64_t n) {
  const int64_t root = int64_t(std::sqrt(double(n)));
  auto power = [&](int64_t rows) { return power_of_two(rows, n); };
  int64_t best = 0;
  for (int64_t rows = root; rows >= 1 && (!best || rows > root / 2); --rows)
    if (n % rows == 0 && (!best || power(rows) < power(best))) best = rows;
  return best;
}

template <class T>
struct Matrix {
  int64_t rows, columns;
  int sign;
  ScalarType dtype;

  // body(first, count) over blocks of `total` lines
  template <class Body>
  void blocks(int64_t total, Body&& body) const {
    const int64_t count = (total + kBlock - 1) / kBlock;
    parallel(count, 16.0 * rows * columns,
             [&](int64_t block) { body(block * kBlock, std::min(kBlock, total - block * kBlock)); });
  }

  void transform_columns(const Tensor& like, const T* from, T* to) const {
    blocks(columns, [&](int64_t j, int64_t count) {
      Tensor lines = empty(like, {count, rows}, dtype);
      kernels<T>().turn({rows, count, from + 2 * j, columns, out<T>(lines), rows});
      Tensor spectrum = fft(lines, {1}, sign);
      kernels<T>().twiddle({count, rows, j, sign * 2 * M_PI / double(rows * columns), out<T>(spectrum)});
      kernels<T>().turn({count, rows, in<T>(spectrum), rows, to + 2 * j, columns});
    });
  }

  void transform_rows(Tensor& matrix, T* to) const {
    blocks(rows, [&](int64_t k, int64_t count) {
      Tensor all = matrix;
      const Tensor spectrum = fft(torch::stable::narrow(all, 0, k, count), {1}, sign);
      kernels<T>().turn({count, columns, in<T>(spectrum), columns, to + 2 * k, rows});
    });
  }
};

}  // namespace

Tensor long_fft(const Tensor& x, int64_t sign) {
  check_tensor(x, "x", 2);
  STD_TORCH_CHECK(is_complex(x), "x: must be complex");
  const int64_t n = x.size(1), rows = rows_for(n), columns = n / rows;
  if (power_of_two(rows, n) > 128) return fft(x, {1}, int(sign));
  Tensor result = empty(x, {x.size(0), n}, x.scalar_type());
  by_precision(x, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> m{rows, columns, sign < 0 ? -1 : 1, x.scalar_type()};
    for (int64_t t = 0; t < x.size(0); ++t) {
      Tensor matrix = empty(x, {rows, columns}, x.scalar_type());
      m.transform_columns(x, in<T>(x) + t * n * 2, out<T>(matrix));
      m.transform_rows(matrix, out<T>(result) + t * n * 2);
    }
  });
  return result;
}

}  // namespace fastspec
