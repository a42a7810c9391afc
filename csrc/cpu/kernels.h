// The CPU kernels as a table of functions, one table per instruction set: every level compiles the same headers.
#pragma once
#include "../grid.h"
#include "parallel.h"

namespace fastspec {

template <class T> struct SortArgs;
template <class T> struct SpreadArgs;
template <class T> struct InterpolateArgs;
template <class T> struct DeconvolveArgs;
template <class T> struct WeighArgs;
template <class T> struct FocalLine;
template <class T> struct FocalPower;
template <class T> struct ResidualArgs;
template <class T> struct TransposeArgs;
template <class T> struct TurnArgs;
template <class T> struct TwiddleArgs;
template <class T> struct DirectArgs;
template <class T> struct HadamardArgs;

template <class T>
struct Kernels {
  void (*sort)(const SortArgs<T>&);
  void (*spread)(const SpreadArgs<T>&, int width, bool complex);
  void (*interpolate)(const InterpolateArgs<T>&, int width, bool complex);
  void (*deconvolve)(const DeconvolveArgs<T>&);  // fine spectrum -> modes
  void (*pad)(const DeconvolveArgs<T>&);         // modes -> fine spectrum, whose other cells are zero already
  void (*weigh)(const WeighArgs<T>&);
  T (*focal_peak)(const FocalLine<T>&);  // largest |F|^2
  double (*focal_weigh)(const FocalLine<T>&, const FocalPower<T>&);
  void (*residual)(const ResidualArgs<T>&);
  void (*transpose)(const TransposeArgs<T>&);
  void (*turn)(const TurnArgs<T>&);
  void (*twiddle)(const TwiddleArgs<T>&);
  void (*direct)(const DirectArgs<T>&);
  void (*hadamard)(const HadamardArgs<T>&);
  void (*hadamard_of_integers)(const HadamardArgs<typename Fixed<T>::type>&);
};

struct Level {
  const char* name;
  bool (*supported)();
  Kernels<float> single;
  Kernels<double> twice;
};

extern const Level level_generic, level_v3, level_v4;

// The level in use: the best one that this processor has, unless select_level chose another.
const Level& level();
void select_level(const char* name);

template <class T> const Kernels<T>& kernels();
template <> inline const Kernels<float>& kernels<float>() { return level().single; }
template <> inline const Kernels<double>& kernels<double>() { return level().twice; }

}  // namespace fastspec
