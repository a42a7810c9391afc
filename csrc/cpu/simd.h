// A fixed number of lanes held in GCC vectors, so that one source serves every instruction set.
#pragma once

namespace fastspec {
namespace FASTSPEC_LEVEL {

#define FASTSPEC_INLINE inline __attribute__((always_inline))

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
    for (int c = 0; c < kChunks; ++c) out.v[c] = V{};
    return out;
  }
  static FASTSPEC_INLINE Lanes load(const T* p) {
    Lanes out;
    for (int c = 0; c < kChunks; ++c) out.v[c] = *reinterpret_cast<const U*>(p + c * kChunk);
    return out;
  }
  FASTSPEC_INLINE void store(T* p) const {
    for (int c = 0; c < kChunks; ++c) *reinterpret_cast<U*>(p + c * kChunk) = v[c];
  }
  // this + a * b
  FASTSPEC_INLINE Lanes plus(T a, const Lanes& b) const {
    Lanes out;
    for (int c = 0; c < kChunks; ++c) out.v[c] = v[c] + a * b.v[c];
    return out;
  }
  FASTSPEC_INLINE Lanes plus(const Lanes& a, const Lanes& b) const {
    Lanes out;
    for (int c = 0; c < kChunks; ++c) out.v[c] = v[c] + a.v[c] * b.v[c];
    return out;
  }
  // this * a + b
  FASTSPEC_INLINE Lanes times_plus(T a, const Lanes& b) const {
    Lanes out;
    for (int c = 0; c < kChunks; ++c) out.v[c] = v[c] * a + b.v[c];
    return out;
  }
  FASTSPEC_INLINE Lanes operator*(const Lanes& b) const {
    Lanes out;
    for (int c = 0; c < kChunks; ++c) out.v[c] = v[c] * b.v[c];
    return out;
  }
  FASTSPEC_INLINE Lanes operator*(T a) const {
    Lanes out;
    for (int c = 0; c < kChunks; ++c) out.v[c] = v[c] * a;
    return out;
  }
};

// The strength in every lane: once where it is real; real and imaginary parts in turn where it is complex.
template <class T, int N, int Parts>
FASTSPEC_INLINE Lanes<T, N> broadcast(const T* value) {
  using L = Lanes<T, N>;
  L out;
  for (int c = 0; c < L::kChunks; ++c)
    for (int l = 0; l < L::kChunk; ++l) out.v[c][l] = value[l % Parts];
  return out;
}

// Sums of the even and of the odd lanes (Parts = 2), or of all (Parts = 1), by halving.
template <class T, int N, int Parts>
FASTSPEC_INLINE void reduce(const Lanes<T, N>& lanes, T* out) {
  using L = Lanes<T, N>;
  auto total = lanes.v[0];
  for (int c = 1; c < L::kChunks; ++c) total += lanes.v[c];
  alignas(64) T part[L::kChunk];
  *reinterpret_cast<typename L::V*>(part) = total;
  constexpr int half = L::kChunk / 2;
  if constexpr (half >= 4) {
    using H = Lanes<T, half>;
    H sum = H::load(part);
    sum.v[0] += H::load(part + half).v[0];
    reduce<T, half, Parts>(sum, out);
  } else {
    for (int p = 0; p < Parts; ++p) {
      T sum = 0;
      for (int l = p; l < L::kChunk; l += Parts) sum += part[l];
      out[p] = sum;
    }
  }
}

}  // namespace FASTSPEC_LEVEL
}  // namespace fastspec
