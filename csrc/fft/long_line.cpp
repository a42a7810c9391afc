// The FFT of one long line in blocks that stay in cache: as a matrix of rows x columns, FFTs of its columns, twiddle
// factors, FFTs of its rows (Bailey 1990, "FFTs in external or hierarchical memory"). Libraries made for short lines
// take several times as long for one long line as for as many numbers in short ones. Padding is part of the first
// reading, cropping of the last writing, and deconvolution of either.
#include "long_line.h"

#include <algorithm>
#include <cmath>

#include "../cpu/levels.h"
#include "../cpu/parallel.h"
#include "torch.h"

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

// What numbers first ... first + count - 1 of a line share with columns left ... left + columns - 1 of the matrix that
// it is, `width` columns wide: body(first column after left, columns, first row, rows) for at most three rectangles.
template <class Body>
void rectangles(int64_t first, int64_t count, int64_t width, int64_t left, int64_t columns, Body&& body) {
  const int64_t end = first + count, top = (first + width - 1) / width, bottom = end / width;
  auto part_of_row = [&](int64_t row, int64_t from, int64_t to) {
    from = std::max(from, left);
    to = std::min(to, left + columns);
    if (from < to) body(from - left, to - from, row, int64_t(1));
  };
  if (top > bottom) return part_of_row(bottom, first % width, end % width);
  if (first % width) part_of_row(top - 1, first % width, width);
  if (top < bottom) body(int64_t(0), columns, top, bottom - top);
  if (end % width) part_of_row(bottom, 0, end % width);
}

template <class T>
struct LongLine {
  Kept kept;
  const T* factors;
  int sign;
  const Tensor& like;

  int64_t n = kept.cells, rows = rows_for(n), columns = n / rows;

  Tensor complex(int64_t count, int64_t length) const { return empty(like, {count, length}, like.scalar_type()); }

  // body(first, count) over blocks of `total` lines
  template <class Body>
  void blocks(int64_t total, Body&& body) const {
    const int64_t count = (total + kBlock - 1) / kBlock;
    parallel(count, 16.0 * n, [&](int64_t block) { body(block * kBlock, std::min(kBlock, total - block * kBlock)); });
  }

  // fill(lines, first, count) makes the lines of the matrix's columns.
  template <class Fill>
  void transform_columns(T* matrix, Fill&& fill) const {
    blocks(columns, [&](int64_t j, int64_t count) {
      Tensor lines = complex(count, rows);
      fill(out<T>(lines), j, count);
      Tensor spectrum = fft(lines, {1}, sign);
      kernels<T>().twiddle({count, rows, j, sign * 2 * M_PI / double(n), out<T>(spectrum)});
      kernels<T>().transpose({count, rows, in<T>(spectrum), rows, matrix + 2 * j, columns});
    });
  }

  // take(lines, first, count) gets the transformed rows, of which number c of line k is number c * rows + k in all.
  template <class Take>
  void transform_rows(Tensor& matrix, Take&& take) const {
    blocks(rows, [&](int64_t k, int64_t count) {
      const Tensor spectrum = fft(torch::stable::narrow(matrix, 0, k, count), {1}, sign);
      take(in<T>(spectrum), k, count);
    });
  }

  void to_modes(const T* grid, T* modes) const {
    Tensor matrix = complex(rows, columns);
    transform_columns(out<T>(matrix), [&](T* lines, int64_t j, int64_t count) {
      kernels<T>().transpose({rows, count, grid + 2 * j, columns, lines, rows});
    });
    transform_rows(matrix, [&](const T* lines, int64_t k, int64_t count) {
      kept.for_each_run([&](int64_t first, int64_t cell, int64_t run) {
        rectangles(cell, run, rows, k, count, [&](int64_t line, int64_t some, int64_t c, int64_t wide) {
          const int64_t place = first + c * rows + k + line - cell;
          kernels<T>().transpose({some, wide, lines + (line * columns + c) * 2, columns, modes + place * 2, rows,
                                  nullptr, factors + place});
        });
      });
    });
  }

  void to_grid(const T* modes, T* grid) const {
    Tensor matrix = complex(rows, columns);
    transform_columns(out<T>(matrix), [&](T* lines, int64_t j, int64_t count) {
      std::fill_n(lines, count * rows * 2, T(0));
      kept.for_each_run([&](int64_t first, int64_t cell, int64_t run) {
        rectangles(cell, run, columns, j, count, [&](int64_t line, int64_t some, int64_t r, int64_t high) {
          const int64_t place = first + r * columns + j + line - cell;
          kernels<T>().transpose(
              {high, some, modes + place * 2, columns, lines + (line * rows + r) * 2, rows, factors + place, nullptr});
        });
      });
    });
    transform_rows(matrix, [&](const T* lines, int64_t k, int64_t count) {
      kernels<T>().transpose({count, columns, lines, columns, grid + 2 * k, rows});
    });
  }
};

}  // namespace

bool is_long_line(int64_t cells) { return cells >= int64_t(1) << 18; }

void line_to_modes(const Tensor& grid, const Kept& kept, const Tensor& factors, int sign, Tensor& modes) {
  by_precision(grid, [&](auto zero) {
    using T = decltype(zero);
    const LongLine<T> line{kept, in<T>(factors), sign, grid};
    for (int64_t t = 0; t < grid.size(0); ++t)
      line.to_modes(in<T>(grid) + t * kept.cells * 2, out<T>(modes) + t * kept.count * 2);
  });
}

void modes_to_line(const Tensor& modes, const Kept& kept, const Tensor& factors, int sign, Tensor& grid) {
  by_precision(modes, [&](auto zero) {
    using T = decltype(zero);
    const LongLine<T> line{kept, in<T>(factors), sign, modes};
    for (int64_t t = 0; t < grid.size(0); ++t)
      line.to_grid(in<T>(modes) + t * kept.count * 2, out<T>(grid) + t * kept.cells * 2);
  });
}

}  // namespace fastspec
