// The Walsh-Hadamard transform of lines: out_f = scale * sum_t (-1)^popcount(f & t) in_t.
//
// A butterfly of stride s puts the sum and the difference of numbers i and i + s in their places. A line of `length`
// slices of `inner` numbers takes one for each of the strides inner, 2 inner ... length * inner / 2, in any order, so
// memory decides it:
//
//     tile      a few whole vectors: strides below a vector by shuffles, those below the tile between registers
//     near      what stays in the L1 cache: up to three strides at a time, a run of numbers against its partners
//     block     the same for what stays in the L2 cache
//     panel     across blocks: columns are copied to lie together, for lines a power of two apart share their place in
//               the cache
//
// A line longer than a block so passes twice through memory, however long it is.
#pragma once
#include "../stages.h"
#include "memory.h"
#include "parallel.h"
#include "simd.h"

namespace fastspec {
namespace FASTSPEC_LEVEL {

constexpr int kTileRegisters = kRegister == 64 ? 16 : 8;

template <class T>
struct Hadamard {
  static constexpr int64_t kNear = (int64_t(16) << 10) / sizeof(T);
  static constexpr int64_t kBlock = (int64_t(256) << 10) / sizeof(T);
  static constexpr int64_t kLeastShared = (int64_t(32) << 10) / sizeof(T);  // shorter lines stay on one thread
  static constexpr int kLanes = kRegister / int(sizeof(T)), kTile = kTileRegisters * kLanes;
  static constexpr bool kInteger = T(1) / T(2) == T(0);
  using Register = typename Vector<T, kRegister>::type;
  using Args = HadamardArgs<T>;

  template <class V>
  static FASTSPEC_INLINE V scaled(V v, T scale) {
    if constexpr (kInteger)
      return v;
    else
      return v * scale;
  }

  // --- strides within registers ---

  template <int S, class V, int... I>
  static FASTSPEC_INLINE V partners(V v, Indices<I...>) {
    return __builtin_shufflevector(v, v, (I ^ S)...);
  }

  template <int S>
  static FASTSPEC_INLINE Register crossed(Register v) {
    Register partner = partners<S>(v, typename Count<kLanes>::type{}), sign{};
    FASTSPEC_UNROLL
    for (int l = 0; l < kLanes; ++l) sign[l] = l & S ? T(-1) : T(kInteger ? 0 : 1);
    if constexpr (kInteger)
      return partner + ((v ^ sign) - sign);
    else
      return partner + v * sign;
  }

  // Strides S and up that are below `line` and below a register.
  template <int S, int K>
  static FASTSPEC_INLINE void within(Register* v, int64_t line) {
    if constexpr (S < kLanes) {
      if (S < line) {
        FASTSPEC_UNROLL
        for (int k = 0; k < K; ++k) v[k] = crossed<S>(v[k]);
      }
      within<2 * S, K>(v, line);
    }
  }

  // Strides S and up between K registers.
  template <int S, int K, class V>
  static FASTSPEC_INLINE void between(V* v) {
    if constexpr (S < K) {
      FASTSPEC_UNROLL
      for (int k = 0; k < K; ++k) {
        if (k & S) continue;
        const V a = v[k], b = v[k + S];
        v[k] = a + b;
        v[k + S] = a - b;
      }
      between<2 * S, K>(v);
    }
  }

  template <int K, class V>
  static FASTSPEC_INLINE void load(V* v, const T* in, int64_t step) {
    using U = typename Vector<T, int(sizeof(V))>::unaligned;
    FASTSPEC_UNROLL
    for (int k = 0; k < K; ++k) v[k] = *reinterpret_cast<const U*>(in + k * step);
  }
  template <int K, class V>
  static FASTSPEC_INLINE void store(const V* v, T* out, int64_t step) {
    using U = typename Vector<T, int(sizeof(V))>::unaligned;
    FASTSPEC_UNROLL
    for (int k = 0; k < K; ++k) *reinterpret_cast<U*>(out + k * step) = v[k];
  }

  // K registers side by side.
  template <int K, int Inner>
  static FASTSPEC_INLINE void tile(const T* in, T* out, int64_t line, T scale) {
    Register v[K];
    load<K>(v, in, kLanes);
    FASTSPEC_UNROLL
    for (int k = 0; k < K; ++k) v[k] = scaled(v[k], scale);
    within<Inner, K>(v, line);
    between<1, K>(v);
    store<K>(v, out, kLanes);
  }

  // Whole tiles of K registers; returns the stride up to which all is done.
  template <int K, int Inner>
  static int64_t tiles(const T* in, T* out, int64_t count, T scale) {
    for (int64_t i = 0; i < count; i += K * kLanes) tile<K, Inner>(in + i, out + i, K * kLanes, scale);
    return K * kLanes;
  }

  // Lines shorter than a register, many to one.
  template <int Inner>
  static void short_lines(const T* in, T* out, int64_t count, int64_t line, T scale) {
    int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) tile<1, Inner>(in + i, out + i, line, scale);
    if (i == count) return;
    T rest[kLanes] = {};
    for (int64_t j = i; j < count; ++j) rest[j - i] = in[j];
    tile<1, Inner>(rest, rest, line, scale);
    for (int64_t j = i; j < count; ++j) out[j] = rest[j - i];
  }

  // --- strides of whole runs ---

  // Slices of `width` numbers: `step` of them, each with the R - 1 that follow at `step` slices from each other.
  struct Slices {
    const T* in;
    int64_t in_stride;
    T* out;
    int64_t out_stride, step, width;
  };

  template <int R, int Bytes>
  static FASTSPEC_INLINE void butterflies(const T* in, int64_t in_step, T* out, int64_t out_step, int64_t i,
                                          int64_t width, T scale) {
    using V = typename Vector<T, Bytes>::type;
    constexpr int lanes = Bytes / int(sizeof(T));
    for (; i + lanes <= width; i += lanes) {
      V v[R];
      load<R>(v, in + i, in_step);
      FASTSPEC_UNROLL
      for (int k = 0; k < R; ++k) v[k] = scaled(v[k], scale);
      between<1, R>(v);
      store<R>(v, out + i, out_step);
    }
    if constexpr (lanes > 1) butterflies<R, Bytes / 2>(in, in_step, out, out_step, i, width, scale);
  }

  template <int R>
  static void pass_of(const Slices& s, int64_t count, T scale) {
    for (int64_t first = 0; first < count; first += R * s.step)
      for (int64_t j = first; j < first + s.step; ++j)
        butterflies<R, kRegister>(s.in + j * s.in_stride, s.step * s.in_stride, s.out + j * s.out_stride,
                                  s.step * s.out_stride, 0, s.width, scale);
  }

  static void pass(int radix, const Slices& s, int64_t count, T scale) {
    if (radix == 8) return pass_of<8>(s, count, scale);
    if (radix == 4) return pass_of<4>(s, count, scale);
    pass_of<2>(s, count, scale);
  }

  // Of as few passes as will do for a factor, one of the next: at most 8, for more lines a power of two apart would
  // not stay in the L1 cache together.
  static int radix_for(int64_t factor) {
    int strides = 0;
    while (int64_t(1) << (strides + 1) <= factor) ++strides;
    const int passes = (strides + 2) / 3;
    return 1 << (strides + passes - 1) / passes;
  }

  // Numbers that lie together, in place: strides from `done` on.
  static void passes(T* data, int64_t count, int64_t done, int64_t end) {
    while (done < end) {
      const int radix = radix_for(end / done);
      pass(radix, {data, done, data, done, 1, done}, count / done, T(1));
      done *= radix;
    }
  }

  // --- blocks and panels ---

  // The first strides, from in to out; returns the next one to do.
  static int64_t begin(const T* in, T* out, int64_t count, int64_t inner, T scale) {
    if (inner == 1 && count >= kTile) return tiles<kTileRegisters, 1>(in, out, count, scale);
    if (inner == 1 && count >= kLanes) return tiles<1, 1>(in, out, count, scale);
    if (inner == 2 && kLanes >= 2 && count >= kTile) return tiles<kTileRegisters, 2>(in, out, count, scale);
    if (inner == 2 && kLanes >= 2 && count >= kLanes) return tiles<1, 2>(in, out, count, scale);
    const int radix = radix_for(count / inner);
    pass(radix, {in, inner, out, inner, 1, inner}, count / inner, scale);
    return radix * inner;
  }

  static void block(const T* in, T* out, int64_t count, int64_t inner, T scale) {
    const int64_t near = doubled(inner, count, kNear);
    if (near == inner) return passes(out, count, begin(in, out, count, inner, scale), count);
    for (int64_t i = 0; i < count; i += near) passes(out + i, near, begin(in + i, out + i, near, inner, scale), near);
    passes(out, count, near, count);
  }

  // `count` slices `stride` apart, of which we do `width` columns.
  static void columns(const T* in, T* out, int64_t stride, int64_t count, int64_t width, T scale) {
    int radix = radix_for(count);
    if (radix == count) return pass(radix, {in, stride, out, stride, 1, width}, count, scale);
    T* panel = static_cast<T*>(scratch(size_t(count * width) * sizeof(T)));
    pass(radix, {in, stride, panel, width, 1, width}, count, scale);
    int64_t done = radix;
    for (; count / done > 8; done *= radix) {
      radix = radix_for(count / done);
      pass(radix, {panel, done * width, panel, done * width, 1, done * width}, count / done, T(1));
    }
    pass(int(count / done), {panel, width, out, stride, done, width}, count, T(1));
  }

  // `from` doubled as often as it stays within both.
  static int64_t doubled(int64_t from, int64_t line, int64_t most) {
    while (from < line && 2 * from <= most) from *= 2;
    return from;
  }

  static void many_short_lines(const Args& a) {
    const int64_t total = a.rows * a.length * a.inner, line = a.length * a.inner;
    parallel((total + kNear - 1) / kNear, 2.0 * total, [&](int64_t task) {
      const int64_t first = task * kNear, count = total - first < kNear ? total - first : kNear;
      if (a.inner == 1) return short_lines<1>(a.in + first, a.out + first, count, line, T(a.scale));
      short_lines<2>(a.in + first, a.out + first, count, line, T(a.scale));
    });
  }

  static void whole_lines(const Args& a, double cost) {
    const int64_t line = a.length * a.inner, together = line < kNear ? kNear / line : 1;
    parallel((a.rows + together - 1) / together, cost, [&](int64_t task) {
      const int64_t end = (task + 1) * together < a.rows ? (task + 1) * together : a.rows;
      for (int64_t row = task * together; row < end; ++row)
        block(a.in + row * line, a.out + row * line, line, a.inner, T(a.scale));
    });
  }

  static void run(const Args& a) {
    const int64_t line = a.length * a.inner;
    if (a.length == 1) return many_short_lines({a.rows * line, 1, 1, a.scale, a.in, a.out});
    if (line < kLanes && a.inner <= 2) return many_short_lines(a);
    int64_t size = doubled(a.inner, line, kBlock);
    if (a.rows < thread_count() && line >= kLeastShared && size == line && size / 8 >= a.inner) size /= 8;
    double cost = a.rows * line;
    for (int64_t n = 1; n < a.length; n *= 2) cost += 0.25 * a.rows * line;
    if (size == line) return whole_lines(a, cost);
    if (size > a.inner)
      parallel(a.rows * (line / size), cost,
               [&](int64_t i) { block(a.in + i * size, a.out + i * size, size, a.inner, T(a.scale)); });
    const int64_t count = line / size, most = kBlock / count;
    const int64_t width = most < kLanes ? kLanes : most > 16 * kLanes ? 16 * kLanes : most;
    const int64_t panels = (size + width - 1) / width;
    parallel(a.rows * panels, cost, [&](int64_t task) {
      const int64_t at = task / panels * line + task % panels * width, left = size - task % panels * width;
      const T* in = (size > a.inner ? a.out : a.in) + at;
      columns(in, a.out + at, size, count, left < width ? left : width, size > a.inner ? T(1) : T(a.scale));
    });
  }
};

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
