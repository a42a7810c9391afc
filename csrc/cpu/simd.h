// A fixed number of lanes held in GCC vectors, so that one source serves every instruction set.
#pragma once
#include "../plan/grid.h"

namespace fastspec {
namespace FASTSPEC_LEVEL {

// Loops over a constant few vectors must not stay loops: their registers would live in memory.
#define FASTSPEC_UNROLL _Pragma("GCC unroll 32")

constexpr int kRegister = FASTSPEC_REGISTER;  // bytes

template <class T, int Bytes>
struct Vector {
  typedef T type __attribute__((vector_size(Bytes)));
  typedef T unaligned __attribute__((vector_size(Bytes), aligned(alignof(T)), may_alias));
};

// Lanes that hold `count` numbers: a power of two up to one 64-byte register, whole registers beyond.
template <class T>
constexpr int padded_lanes(int count) {
  const int per_register = 64 / int(sizeof(T));
  int lanes = 16 / int(sizeof(T));
  while (lanes < count && lanes < per_register) lanes *= 2;
  return count <= lanes ? lanes : (count + per_register - 1) / per_register * per_register;
}

template <class T, int N>
struct Lanes {
  static constexpr int kChunk = N * int(sizeof(T)) < 64 ? N : 64 / int(sizeof(T));
  static constexpr int kChunks = N / kChunk;
  using V = typename Vector<T, kChunk* int(sizeof(T))>::type;
  using U = typename Vector<T, kChunk* int(sizeof(T))>::unaligned;
  V v[kChunks];

  static FASTSPEC_INLINE Lanes zero() {
    Lanes out;
    FASTSPEC_UNROLL
    for (int c = 0; c < kChunks; ++c) out.v[c] = V{};
    return out;
  }
  static FASTSPEC_INLINE Lanes all(T value) {
    Lanes out;
    FASTSPEC_UNROLL
    for (int c = 0; c < kChunks; ++c) out.v[c] = V{} + value;
    return out;
  }
  static FASTSPEC_INLINE Lanes load(const T* p) {
    Lanes out;
    FASTSPEC_UNROLL
    for (int c = 0; c < kChunks; ++c) out.v[c] = *reinterpret_cast<const U*>(p + c * kChunk);
    return out;
  }
  FASTSPEC_INLINE void store(T* p) const {
    FASTSPEC_UNROLL
    for (int c = 0; c < kChunks; ++c) *reinterpret_cast<U*>(p + c * kChunk) = v[c];
  }
  // this + a * b
  FASTSPEC_INLINE Lanes plus(T a, const Lanes& b) const {
    Lanes out;
    FASTSPEC_UNROLL
    for (int c = 0; c < kChunks; ++c) out.v[c] = v[c] + a * b.v[c];
    return out;
  }
  FASTSPEC_INLINE Lanes plus(const Lanes& a, const Lanes& b) const {
    Lanes out;
    FASTSPEC_UNROLL
    for (int c = 0; c < kChunks; ++c) out.v[c] = v[c] + a.v[c] * b.v[c];
    return out;
  }
  // this * a + b
  FASTSPEC_INLINE Lanes times_plus(T a, const Lanes& b) const {
    Lanes out;
    FASTSPEC_UNROLL
    for (int c = 0; c < kChunks; ++c) out.v[c] = v[c] * a + b.v[c];
    return out;
  }
  FASTSPEC_INLINE Lanes operator*(const Lanes& b) const {
    Lanes out;
    FASTSPEC_UNROLL
    for (int c = 0; c < kChunks; ++c) out.v[c] = v[c] * b.v[c];
    return out;
  }
  FASTSPEC_INLINE Lanes operator*(T a) const {
    Lanes out;
    FASTSPEC_UNROLL
    for (int c = 0; c < kChunks; ++c) out.v[c] = v[c] * a;
    return out;
  }
};

template <int... I>
struct Indices {};
template <int N, int... I>
struct Count : Count<N - 1, N - 1, I...> {};
template <int... I>
struct Count<0, I...> {
  using type = Indices<I...>;
};

// `count` lanes of a vector, from lane `First` on.
template <int First, class V, int... I>
FASTSPEC_INLINE auto lanes_of(V v, Indices<I...>) {
  return __builtin_shufflevector(v, v, (First + I)...);
}

template <class T, int N>
FASTSPEC_INLINE Lanes<T, N / 2> low(const Lanes<T, N>& lanes) {
  Lanes<T, N / 2> out;
  if constexpr (Lanes<T, N>::kChunks == 1)
    out.v[0] = lanes_of<0>(lanes.v[0], typename Count<N / 2>::type{});
  else {
    FASTSPEC_UNROLL
    for (int c = 0; c < Lanes<T, N / 2>::kChunks; ++c) out.v[c] = lanes.v[c];
  }
  return out;
}

template <class T, int N>
FASTSPEC_INLINE Lanes<T, N / 2> high(const Lanes<T, N>& lanes) {
  Lanes<T, N / 2> out;
  if constexpr (Lanes<T, N>::kChunks == 1)
    out.v[0] = lanes_of<N / 2>(lanes.v[0], typename Count<N / 2>::type{});
  else {
    FASTSPEC_UNROLL
    for (int c = 0; c < Lanes<T, N / 2>::kChunks; ++c) out.v[c] = lanes.v[c + Lanes<T, N / 2>::kChunks];
  }
  return out;
}

// `b` in the lanes that Second says, `a` in the others: two broadcasts and a blend, as lanes that are set one by one go
// through memory.
template <class T, int N, class Second>
FASTSPEC_INLINE Lanes<T, N> either(T a, T b, Second second) {
  using L = Lanes<T, N>;
  using Mask = typename Vector<typename Fixed<T>::integer, L::kChunk* int(sizeof(T))>::type;
  L out;
  FASTSPEC_UNROLL
  for (int c = 0; c < L::kChunks; ++c) {
    Mask mask{};
    FASTSPEC_UNROLL
    for (int l = 0; l < L::kChunk; ++l) mask[l] = second(c * L::kChunk + l) ? -1 : 0;
    out.v[c] = mask ? typename L::V{} + b : typename L::V{} + a;
  }
  return out;
}

// The strength in every lane: once where it is real; real and imaginary parts in turn where it is complex.
template <class T, int N, int Parts>
FASTSPEC_INLINE Lanes<T, N> broadcast(const T* value) {
  return either<T, N>(value[0], value[Parts - 1], [](int lane) { return lane % 2 == 1; });
}

// Whether a permutation of 64 bytes is one instruction; if not, it is one for every lane.
constexpr bool kPermutes = kRegister == 64;

template <int First, class V, int... I>
FASTSPEC_INLINE auto twice_each(V v, Indices<I...>) {
  return __builtin_shufflevector(v, v, (First + I / 2)...);
}

// Each of the first lanes `Parts` times, as many as there are places for.
template <int Parts, int To, int C = 0, class T, int N>
FASTSPEC_INLINE Lanes<T, To> repeat(const Lanes<T, N>& lanes) {
  static_assert(Parts <= 2);
  using In = Lanes<T, N>;
  using Out = Lanes<T, To>;
  if constexpr (Parts == 1) {
    return lanes;
  } else if constexpr (C == Out::kChunks) {
    return Out{};
  } else {
    constexpr int first = C * Out::kChunk / 2;
    Out out = repeat<Parts, To, C + 1>(lanes);
    out.v[C] = twice_each<first % In::kChunk>(lanes.v[first / In::kChunk], typename Count<Out::kChunk>::type{});
    return out;
  }
}

// a in the lower half of the lanes, b in the upper.
template <class T, int N>
FASTSPEC_INLINE Lanes<T, N> halves(T a, T b) {
  return either<T, N>(a, b, [](int lane) { return lane >= N / 2; });
}

// Sums of the even and of the odd lanes (Parts = 2), or of all (Parts = 1), by halving.
template <class T, int N, int Parts>
FASTSPEC_INLINE void reduce(const Lanes<T, N>& lanes, T* out) {
  using L = Lanes<T, N>;
  if constexpr (L::kChunks > 1) {
    Lanes<T, L::kChunk> sum;
    sum.v[0] = lanes.v[0];
    FASTSPEC_UNROLL
    for (int c = 1; c < L::kChunks; ++c) sum.v[0] += lanes.v[c];
    reduce<T, L::kChunk, Parts>(sum, out);
  } else if constexpr (N * sizeof(T) > 16) {
    Lanes<T, N / 2> sum = low(lanes);
    sum.v[0] += high(lanes).v[0];
    reduce<T, N / 2, Parts>(sum, out);
  } else {
    for (int p = 0; p < Parts; ++p) {
      T sum = lanes.v[0][p];
      FASTSPEC_UNROLL
      for (int l = p + Parts; l < N; l += Parts) sum += lanes.v[0][l];
      out[p] = sum;
    }
  }
}

// body(offset, Lanes of a width) over 0 ... n - 1 in whole vectors, ever narrower ones at the end.
template <class T, int N = 64 / int(sizeof(T)), class Body>
FASTSPEC_INLINE void in_vectors(int64_t i, int64_t n, Body&& body) {
  for (; i + N <= n; i += N) body(i, Lanes<T, N>{});
  if constexpr (N * sizeof(T) > 16) {
    in_vectors<T, N / 2>(i, n, body);
  } else {
    for (; i < n; ++i) body(i, T{});
  }
}

template <class T, int N>
FASTSPEC_INLINE void add_to(T* to, const T* from, Lanes<T, N>) {
  Lanes<T, N>::load(to).plus(T(1), Lanes<T, N>::load(from)).store(to);
}
template <class T>
FASTSPEC_INLINE void add_to(T* to, const T* from, T) {
  *to += *from;
}
template <class T, int N>
FASTSPEC_INLINE void copy_to(T* to, const T* from, Lanes<T, N>) {
  Lanes<T, N>::load(from).store(to);
}
template <class T>
FASTSPEC_INLINE void copy_to(T* to, const T* from, T) {
  *to = *from;
}

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
