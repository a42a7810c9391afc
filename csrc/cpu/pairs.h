// The kernels of sums over all pairs as a table of their own beside kernels.h': they share nothing with gridding but
// the instruction set in use.
#pragma once
#include "kernels.h"

namespace fastspec {

template <class T> struct DirectSumArgs;
template <class T> struct FilterArgs;
template <class T> struct SeparableArgs;

template <class T>
struct PairKernels {
  void (*sum)(const DirectSumArgs<T>&, bool complex_in, bool complex_out);
  void (*gradient)(const DirectSumArgs<T>&, bool complex_in, bool complex_out);
  void (*type1)(const SeparableArgs<T>&);
  void (*type2)(const SeparableArgs<T>&);
  void (*filter)(const FilterArgs<T>&);
  void (*filter_gradient)(const FilterArgs<T>&);
};

struct PairLevel {
  PairKernels<float> single;
  PairKernels<double> twice;
};

extern const PairLevel pairs_generic, pairs_v3, pairs_v4;

inline const PairLevel& pair_level() {
  return &level() == &level_v4 ? pairs_v4 : &level() == &level_v3 ? pairs_v3 : pairs_generic;
}

template <class T> const PairKernels<T>& pair_kernels();
template <> inline const PairKernels<float>& pair_kernels<float>() { return pair_level().single; }
template <> inline const PairKernels<double>& pair_kernels<double>() { return pair_level().twice; }

}  // namespace fastspec
