// One dimension, many points to a cell. There the taps of all points of a cell are the same polynomials of their
// offsets t, so the points need only meet powers of t, many points to a vector, and the taps are met once per cell:
//
//     spread        tap_i += sum_p a_ip (sum_j c_j t_j^p)
//     interpolate   value_j = sum_p (sum_i a_ip cell_i) t_j^p, its slope per cell, and the point gradient
#pragma once
#include "tile.h"

namespace fastspec {
namespace FASTSPEC_LEVEL {

template <class T, int W, int Parts>
struct Dense {
  static constexpr int kLanes = 64 / int(sizeof(T));
  static constexpr int kTerms = window_degree(W) + 1;
  static constexpr int64_t kChunk = 1024;  // points whose offsets and data are held at a time
  using L = Lanes<T, kLanes>;
  using Taps1 = Taps<T, W, 1>;
  using P = typename Fixed<T>::type;

  struct Chunk {
    alignas(64) T t[kChunk + kLanes];
    alignas(64) T data[Parts][kChunk + kLanes];
    alignas(64) T slope[Parts][kChunk + kLanes];
  };

  // Calls body(first, last, cell) for each run of points of one cell, all within the chunk's count.
  template <class Body>
  static FASTSPEC_INLINE void for_each_run(const P* position, int64_t count, Body&& body) {
    for (int64_t first = 0; first < count;) {
      const int64_t cell = cell_of<T>(position[first]);
      int64_t last = first + 1;
      while (last < count && cell_of<T>(position[last]) == cell) ++last;
      body(first, last, cell);
      first = last;
    }
  }

  // The first n lanes; zero in the others.
  static FASTSPEC_INLINE L leading(const T* p, int64_t n) {
    typename Vector<typename Fixed<T>::integer, 64>::type lane{};
    FASTSPEC_UNROLL
    for (int l = 0; l < kLanes; ++l) lane[l] = l;
    L out = L::load(p);
    out.v[0] = lane < typename Fixed<T>::integer(n < kLanes ? n : kLanes) ? out.v[0] : typename L::V{};
    return out;
  }

  static FASTSPEC_INLINE void moments(const T* t, const T* c, int64_t n, T* sums) {
    L sum[kTerms];
    FASTSPEC_UNROLL
    for (int p = 0; p < kTerms; ++p) sum[p] = L::zero();
    for (int64_t i = 0; i < n; i += kLanes) {
      const L offset = L::load(t + i);
      L power = leading(c + i, n - i);
      FASTSPEC_UNROLL
      for (int p = 0; p < kTerms; ++p) {
        sum[p].v[0] += power.v[0];
        power = power * offset;
      }
    }
    FASTSPEC_UNROLL
    for (int p = 0; p < kTerms; ++p) reduce<T, kLanes, 1>(sum[p], sums + p);
  }

  static void spread(const Taps1& taps, const P* position, const int32_t* order, int64_t count, const T* strengths,
                     int64_t cell0, T* buffer) {
    for_each_chunk(position, count, [&](Chunk& chunk, int64_t done, int64_t n) {
      gather(strengths, order + done, n, chunk);
      for_each_run(position + done, n, [&](int64_t first, int64_t last, int64_t cell) {
        for (int q = 0; q < Parts; ++q) {
          T sums[kTerms];
          moments(chunk.t + first, chunk.data[q] + first, last - first, sums);
          typename Taps1::L tap = Taps1::L::load(taps.table[kTerms - 1]) * sums[0];
          FASTSPEC_UNROLL
          for (int p = 1; p < kTerms; ++p) tap = tap.plus(sums[p], Taps1::L::load(taps.table[kTerms - 1 - p]));
          alignas(64) T values[Taps1::kLanes];
          tap.store(values);
          T* at = buffer + (cell - cell0) * Parts + q;
          for (int i = 0; i < W; ++i) at[i * Parts] += values[i];
        }
      });
    });
  }

  // Values, and slopes where not null, of the points of one cell from the coefficients of their polynomial.
  static FASTSPEC_INLINE void evaluate(const T* coefficient, const T* t, int64_t n, T* values, T* slopes) {
    for (int64_t i = 0; i < n; i += kLanes) {
      const L offset = L::load(t + i);
      L value = L::zero(), slope = L::zero();
      FASTSPEC_UNROLL
      for (int p = 0; p < kTerms; ++p) {
        if (slopes) slope.v[0] = slope.v[0] * offset.v[0] + value.v[0];
        value.v[0] = value.v[0] * offset.v[0] + coefficient[p];
      }
      value.store(values + i);  // what it writes past the run, the next run or nobody reads
      if (slopes) (slope * T(-2)).store(slopes + i);
    }
  }

  // Makes of the cells under a window the polynomial in t that their sum with the window's taps, or their slopes, is:
  // by its coefficients in lanes, a cell at a time.
  template <int Terms>
  struct Polynomial {
    using C = Lanes<T, padded_lanes<T>(Terms)>;
    alignas(64) T of_tap[W][C::kChunk * C::kChunks] = {};
    alignas(64) T coefficient[C::kChunk * C::kChunks];

    explicit Polynomial(const T (&table)[Terms][Taps1::kLanes]) {
      for (int i = 0; i < W; ++i)
        for (int p = 0; p < Terms; ++p) of_tap[i][p] = table[p][i];
    }
    FASTSPEC_INLINE const T* under(const T* cells) {
      C sum = C::load(of_tap[0]) * cells[0];
      FASTSPEC_UNROLL
      for (int i = 1; i < W; ++i) sum = sum.plus(cells[i * Parts], C::load(of_tap[i]));
      sum.store(coefficient);
      return coefficient;
    }
  };

  // body(chunk, first of its points, count) with the points' offsets
  template <class Body>
  static FASTSPEC_INLINE void for_each_chunk(const P* position, int64_t count, Body&& body) {
    Chunk chunk{};
    for (int64_t done = 0; done < count; done += kChunk) {
      const int64_t n = count - done < kChunk ? count - done : kChunk;
      for (int64_t i = 0; i < n; ++i) chunk.t[i] = offset_of<T>(position[done + i]);
      body(chunk, done, n);
    }
  }

  static void interpolate(const Taps1& taps, const P* position, const int32_t* order, int64_t count, const T* buffer,
                          int64_t cell0, T* values, T* slopes) {
    Polynomial<kTerms> polynomial(taps.table);
    for_each_chunk(position, count, [&](Chunk& chunk, int64_t done, int64_t n) {
      for_each_run(position + done, n, [&](int64_t first, int64_t last, int64_t cell) {
        for (int q = 0; q < Parts; ++q) {
          const T* coefficient = polynomial.under(buffer + (cell - cell0) * Parts + q);
          if (slopes)
            evaluate(coefficient, chunk.t + first, last - first, chunk.data[q] + first, chunk.slope[q] + first);
          else
            evaluate(coefficient, chunk.t + first, last - first, chunk.data[q] + first, nullptr);
        }
      });
      for (int q = 0; q < Parts; ++q)
        for (int64_t i = 0; i < n; ++i) values[order[done + i] * int64_t(Parts) + q] = chunk.data[q][i];
      for (int q = 0; q < Parts && slopes; ++q)
        for (int64_t i = 0; i < n; ++i) slopes[order[done + i] * int64_t(Parts) + q] = chunk.slope[q][i];
    });
  }

  // Re(conj(strength) slope) of each point, instead of or added to what is there.
  static void gradient(const Taps1& taps, const P* position, const int32_t* order, int64_t count, const T* buffer,
                       int64_t cell0, const T* strengths, bool instead, T* gradient) {
    Polynomial<kTerms - 1> real(taps.slopes), imaginary = real;
    for_each_chunk(position, count, [&](Chunk& chunk, int64_t done, int64_t n) {
      gather(strengths, order + done, n, chunk);
      for_each_run(position + done, n, [&](int64_t first, int64_t last, int64_t cell) {
        const T* cells = buffer + (cell - cell0) * Parts;
        const T* coefficient[] = {real.under(cells), Parts == 2 ? imaginary.under(cells + 1) : nullptr};
        for (int64_t i = first; i < last; i += kLanes) {
          const L offset = L::load(chunk.t + i);
          L sum = L::zero();
          FASTSPEC_UNROLL
          for (int q = 0; q < Parts; ++q) {
            L slope = L::all(coefficient[q][0]);
            FASTSPEC_UNROLL
            for (int p = 1; p < kTerms - 1; ++p) slope.v[0] = slope.v[0] * offset.v[0] + coefficient[q][p];
            sum = sum.plus(slope, L::load(chunk.data[q] + i));
          }
          sum.store(chunk.slope[0] + i);  // what it writes past the run, the next run or nobody reads
        }
      });
      for (int64_t i = 0; i < n; ++i) {
        T& at = gradient[order[done + i]];
        at = instead ? chunk.slope[0][i] : at + chunk.slope[0][i];
      }
    });
  }

  static FASTSPEC_INLINE void gather(const T* strengths, const int32_t* order, int64_t n, Chunk& chunk) {
    for (int64_t i = 0; i < n; ++i)
      for (int q = 0; q < Parts; ++q) chunk.data[q][i] = strengths[order[i] * int64_t(Parts) + q];
  }
};

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
