// FFTs over the axes of a grid in 2-D and 3-D, of which only some wavenumbers are wanted, or are not zero. They go by
// blocks of the grid that stay in cache, and each axis is cropped as soon as it is transformed (or padded just before),
// so that the other axes have fewer lines and nothing as large as the grid is made beside it:
//
//      grid (n0, n1, n2)  <->  planes of axis 0: FFT of axes 2 and 1, cropped  <->  lines (K1, K2, n0)
//      lines              <->  blocks of lines: FFT of axis 0, cropped         <->  modes (K0, K1, K2)
//
// In 2-D axis 1 is missing: n1 = K1 = 1.
#pragma once
#include <algorithm>
#include <cstring>

#include "../cpu/levels.h"
#include "../cpu/parallel.h"
#include "torch.h"

#pragma GCC visibility push(hidden)  // as torch's tensors are

namespace fastspec {

// Grids of any kind and the lines that their planes become. Distances are in complex numbers, pointers to T.
template <class T>
struct Planes {
  int64_t transforms, n0, n1, n2;
  Kept middle, last;  // of axes 1 and 2
  const Tensor& like;

  bool solid = n1 > 1;
  int64_t per_transform = middle.count * last.count;
  Tensor lines = complex({transforms * per_transform, n0});
  T* line = out<T>(lines);

  Tensor complex(const std::vector<int64_t>& size) const {
    return empty(like, size, sizeof(T) == 4 ? ScalarType::ComplexFloat : ScalarType::ComplexDouble);
  }

  static void transpose(int64_t rows, int64_t columns, const T* from, int64_t from_stride, T* to, int64_t to_stride) {
    kernels<T>().transpose({rows, columns, from, from_stride, to, to_stride});
  }

  static int64_t block_size(int64_t total, int64_t bytes_each) {
    constexpr int64_t bytes = 1 << 18;
    return std::clamp<int64_t>(bytes / bytes_each, 1, total);
  }

  // body(transform, first, count) for blocks of `total` equal parts of each transform
  template <class Body>
  void blocks(int64_t total, int64_t bytes_each, Body&& body) const {
    const int64_t size = block_size(total, bytes_each), count = (total + size - 1) / size;
    parallel(transforms * count, 8.0 * transforms * total * bytes_each, [&](int64_t task) {
      const int64_t first = task % count * size;
      body(task / count, first, std::min(size, total - first));
    });
  }
  template <class Body>
  void plane_blocks(Body&& body) const {
    blocks(n0, n1 * n2 * int64_t(sizeof(T)), body);
  }
  template <class Body>
  void line_blocks(Body&& body) const {
    blocks(per_transform, line_bytes(), body);
  }
  int64_t line_bytes() const { return n0 * int64_t(sizeof(T)) * 2; }
  int64_t lines_per_block() const { return block_size(per_transform, line_bytes()); }
  int64_t blocks_of_lines() const { return (per_transform + lines_per_block() - 1) / lines_per_block(); }

  void keep_lines(const Tensor& lines, int64_t transform, int64_t first, int64_t count) const {
    std::memcpy(line_at(transform, first), in<T>(lines), size_t(count * line_bytes()));
  }

  T* line_at(int64_t transform, int64_t index) const { return line + (transform * per_transform + index) * n0 * 2; }
  Tensor lines_of(int64_t transform, int64_t first, int64_t count) const {
    Tensor all = lines;
    return torch::stable::narrow(all, 0, transform * per_transform + first, count);
  }
  // Line of wavenumbers (k1, k2), both counted from the first one kept, at plane i.
  T* line_at(int64_t transform, int64_t k1, int64_t k2, int64_t i) const {
    return line_at(transform, k1 * last.count + k2) + i * 2;
  }

  // Rows transformed along axis 2, (planes * n1, row), to lines.
  void to_lines(const T* rows, int64_t row, int64_t t, int64_t i, int64_t planes, int sign) const {
    if (!solid) {
      last.for_each_run([&](int64_t k, int64_t cell, int64_t count) {
        transpose(planes, count, rows + cell * 2, row, line_at(t, 0, k, i), n0);
      });
      return;
    }
    Tensor crossed = complex({planes, last.count, n1});
    for (int64_t p = 0; p < planes; ++p)
      last.for_each_run([&](int64_t k, int64_t cell, int64_t count) {
        transpose(n1, count, rows + (p * n1 * row + cell) * 2, row, out<T>(crossed) + (p * last.count + k) * n1 * 2,
                  n1);
      });
    crossed = fft(crossed, {2}, sign);
    for (int64_t k = 0; k < last.count; ++k)
      middle.for_each_run([&](int64_t j, int64_t cell, int64_t count) {
        transpose(planes, count, in<T>(crossed) + (k * n1 + cell) * 2, last.count * n1, line_at(t, j, k, i),
                  last.count * n0);
      });
  }

  // The transpose: lines to rows (planes * n1, row) that are yet to be transformed along axis 2.
  void from_lines(T* rows, int64_t row, int64_t t, int64_t i, int64_t planes, int sign) const {
    std::fill_n(rows, planes * n1 * row * 2, T(0));
    if (!solid) {
      last.for_each_run([&](int64_t k, int64_t cell, int64_t count) {
        transpose(count, planes, line_at(t, 0, k, i), n0, rows + cell * 2, row);
      });
      return;
    }
    Tensor crossed = complex({planes, last.count, n1});
    std::fill_n(out<T>(crossed), planes * last.count * n1 * 2, T(0));
    for (int64_t k = 0; k < last.count; ++k)
      middle.for_each_run([&](int64_t j, int64_t cell, int64_t count) {
        transpose(count, planes, line_at(t, j, k, i), last.count * n0, out<T>(crossed) + (k * n1 + cell) * 2,
                  last.count * n1);
      });
    crossed = fft(crossed, {2}, sign);
    for (int64_t p = 0; p < planes; ++p)
      last.for_each_run([&](int64_t k, int64_t cell, int64_t count) {
        transpose(count, n1, in<T>(crossed) + (p * last.count + k) * n1 * 2, n1, rows + (p * n1 * row + cell) * 2, row);
      });
  }
};

inline Tensor rows_of(const Tensor& grid, int64_t n2, int64_t first, int64_t count) {
  Tensor all = torch::stable::view(grid, {grid.numel() / n2, n2});
  return torch::stable::narrow(all, 0, first, count);
}

// Real grids, (transforms, *cells), to lines and back; half the wavenumbers of the last axis.
template <class T>
struct RealPasses {
  Planes<T> p;
  Tensor& grid;
  int64_t half = p.n2 / 2 + 1;

  void to_lines() const {
    p.plane_blocks([&](int64_t t, int64_t i, int64_t planes) {
      const Tensor rows = real_fft(rows_of(grid, p.n2, (t * p.n0 + i) * p.n1, planes * p.n1));
      p.to_lines(in<T>(rows), half, t, i, planes, -1);
    });
  }

  // The FFT of axis 0 in place, then body(lines, transform, first, count) for blocks of them.
  template <class Body>
  void transform_lines(Body&& body) const {
    p.line_blocks([&](int64_t t, int64_t l, int64_t count) {
      p.keep_lines(fft(p.lines_of(t, l, count), {1}, -1), t, l, count);
      body(p.line_at(t, l), t, l, count);
    });
  }

  // body, which may change its lines, of blocks of them between the FFT of axis 0, unless that is done, and the FFT
  // back, where it is wanted.
  template <class Body>
  void change_lines(bool transformed, bool back, Body&& body) const {
    p.line_blocks([&](int64_t t, int64_t l, int64_t count) {
      Tensor lines = transformed ? p.lines_of(t, l, count) : fft(p.lines_of(t, l, count), {1}, -1);
      body(out<T>(lines), t, l, count);
      if (back) p.keep_lines(fft(lines, {1}, 1), t, l, count);
    });
  }

  void from_lines() const {
    p.plane_blocks([&](int64_t t, int64_t i, int64_t planes) {
      Tensor spectrum = p.complex({planes * p.n1, half});
      p.from_lines(out<T>(spectrum), half, t, i, planes, 1);
      const Tensor back = inverse_real_fft(spectrum, p.n2);
      Tensor rows = rows_of(grid, p.n2, (t * p.n0 + i) * p.n1, planes * p.n1);
      std::memcpy(out<T>(rows), in<T>(back), size_t(planes * p.n1 * p.n2) * sizeof(T));
    });
  }
};

// Of the wavenumbers of `band`, the half spectrum's with its axes reversed.
template <class T>
RealPasses<T> real_passes(const Grid& g, const Band& band, int64_t transforms, Tensor& grid) {
  const int64_t n1 = g.dim == 3 ? g.cells[1] : 1, n2 = g.cells[g.dim - 1];
  const Kept middle = g.dim == 3 ? kept(band, 1) : Kept{1, 1, 0, false};
  return {{transforms, g.cells[0], n1, n2, middle, kept(band, 0), grid}, grid};
}

// Complex grids to modes and back, each mode times its factor.
template <class T>
struct ComplexPasses {
  Planes<T> p;
  Kept first;  // of axis 0
  const T* factors;
  int sign;

  std::vector<T> inner = inner_factors();

  std::vector<T> inner_factors() const {
    const T *f1 = factors + first.count, *f2 = p.solid ? f1 + p.middle.count : f1;
    std::vector<T> product;
    for (int64_t j = 0; j < p.middle.count; ++j)
      for (int64_t k = 0; k < p.last.count; ++k) product.push_back((p.solid ? f1[j] : T(1)) * f2[k]);
    return product;
  }

  void scale(T* z, int64_t l, int64_t rows) const {
    for (int64_t r = 0; r < rows; ++r)
      first.for_each_run([&](int64_t k, int64_t cell, int64_t count) {
        T* at = z + (r * p.n0 + cell) * 2;
        for (int64_t i = 0; i < count; ++i) {
          const T factor = inner[size_t(l + r)] * factors[k + i];
          at[2 * i] *= factor;
          at[2 * i + 1] *= factor;
        }
      });
  }

  void to_modes(const Tensor& grid, T* modes) const {
    p.plane_blocks([&](int64_t t, int64_t i, int64_t planes) {
      const Tensor rows = fft(rows_of(grid, p.n2, (t * p.n0 + i) * p.n1, planes * p.n1), {1}, sign);
      p.to_lines(in<T>(rows), p.n2, t, i, planes, sign);
    });
    p.line_blocks([&](int64_t t, int64_t l, int64_t rows) {
      Tensor spectrum = fft(p.lines_of(t, l, rows), {1}, sign);
      scale(out<T>(spectrum), l, rows);
      first.for_each_run([&](int64_t k, int64_t cell, int64_t count) {
        p.transpose(rows, count, in<T>(spectrum) + cell * 2, p.n0, modes_at(modes, t, k, l), p.per_transform);
      });
    });
  }

  void to_grid(const T* modes, T* grid) const {
    p.line_blocks([&](int64_t t, int64_t l, int64_t rows) {
      Tensor spectrum = p.complex({rows, p.n0});
      T* z = out<T>(spectrum);
      std::fill_n(z, rows * p.n0 * 2, T(0));
      first.for_each_run([&](int64_t k, int64_t cell, int64_t count) {
        p.transpose(count, rows, modes_at(modes, t, k, l), p.per_transform, z + cell * 2, p.n0);
      });
      scale(z, l, rows);
      p.keep_lines(fft(spectrum, {1}, sign), t, l, rows);
    });
    p.plane_blocks([&](int64_t t, int64_t i, int64_t planes) {
      Tensor rows = p.complex({planes * p.n1, p.n2});
      p.from_lines(out<T>(rows), p.n2, t, i, planes, sign);
      rows = fft(rows, {1}, sign);
      std::memcpy(grid + (t * p.n0 + i) * p.n1 * p.n2 * 2, in<T>(rows), size_t(planes * p.n1 * p.n2) * 2 * sizeof(T));
    });
  }

  template <class Number>
  Number* modes_at(Number* modes, int64_t t, int64_t k, int64_t l) const {
    return modes + ((t * first.count + k) * p.per_transform + l) * 2;
  }
};

template <class T>
ComplexPasses<T> complex_passes(const Band& b, int64_t transforms, const Tensor& factors, int sign,
                                const Tensor& like) {
  const int last = b.dim - 1;
  const Kept middle = b.dim == 3 ? kept(b, 1) : Kept{1, 1, 0, false};
  return {{transforms, b.cells[0], middle.cells, b.cells[last], middle, kept(b, last), like},
          kept(b, 0),
          in<T>(factors),
          sign};
}

}  // namespace fastspec

#pragma GCC visibility pop
