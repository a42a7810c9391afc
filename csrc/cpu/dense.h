// One dimension, many points to a cell. There the taps of all points of a cell are the same polynomials of their
// offsets t, so the points need only meet powers of t, many points to a vector, and the taps are met once per cell:
//
//     spread        tap_i += sum_p a_ip (sum_j c_j t_j^p)
//     interpolate   value_j = sum_p (sum_i a_ip cell_i) t_j^p, and its slope per cell
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
    Chunk chunk{};
    for (int64_t done = 0; done < count; done += kChunk) {
      const int64_t n = count - done < kChunk ? count - done : kChunk;
      for (int64_t i = 0; i < n; ++i) chunk.t[i] = offset_of<T>(position[done + i]);
      for (int q = 0; q < Parts; ++q)
        for (int64_t i = 0; i < n; ++i) chunk.data[q][i] = strengths[order[done + i] * int64_t(Parts) + q];
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
    }
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

  static void interpolate(const Taps1& taps, const P* position, const int32_t* order, int64_t count, const T* buffer,
                          int64_t cell0, T* values, T* slopes, const T* strengths, T* gradient) {
    Chunk chunk{};
    const bool sloping = slopes || gradient;
    for (int64_t done = 0; done < count; done += kChunk) {
      const int64_t n = count - done < kChunk ? count - done : kChunk;
      for (int64_t i = 0; i < n; ++i) chunk.t[i] = offset_of<T>(position[done + i]);
      for_each_run(position + done, n, [&](int64_t first, int64_t last, int64_t cell) {
        for (int q = 0; q < Parts; ++q) {
          const T* at = buffer + (cell - cell0) * Parts + q;
          alignas(64) T cells[Taps1::kLanes] = {};
          for (int i = 0; i < W; ++i) cells[i] = at[i * Parts];
          const auto row = Taps1::L::load(cells);
          T coefficient[kTerms];
          FASTSPEC_UNROLL
          for (int p = 0; p < kTerms; ++p)
            reduce<T, Taps1::kLanes, 1>(row * Taps1::L::load(taps.table[p]), coefficient + p);
          if (sloping)
            evaluate(coefficient, chunk.t + first, last - first, chunk.data[q] + first, chunk.slope[q] + first);
          else
            evaluate(coefficient, chunk.t + first, last - first, chunk.data[q] + first, nullptr);
        }
      });
      for (int q = 0; q < Parts; ++q)
        for (int64_t i = 0; i < n; ++i) values[order[done + i] * int64_t(Parts) + q] = chunk.data[q][i];
      for (int q = 0; q < Parts && slopes; ++q)
        for (int64_t i = 0; i < n; ++i) slopes[order[done + i] * int64_t(Parts) + q] = chunk.slope[q][i];
      for (int64_t i = 0; i < n && gradient; ++i) {
        const int64_t place = order[done + i];
        for (int q = 0; q < Parts; ++q) gradient[place] += strengths[place * Parts + q] * chunk.slope[q][i];
      }
    }
  }
};

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
