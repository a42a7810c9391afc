// The CPU kernels as a table of functions, one table per instruction set: every level compiles the same headers.
#pragma once
#include <string>
#include <vector>

#include "../stages.h"

namespace fastspec {

template <class T>
struct Kernels {
  void (*sort)(const SortArgs<T>&);
  void (*spread)(const SpreadArgs<T>&);
  void (*interpolate)(const InterpolateArgs<T>&);
  void (*deconvolve)(const DeconvolveArgs<T>&);  // fine spectrum -> modes
  void (*pad)(const DeconvolveArgs<T>&);         // modes -> fine spectrum, whose other cells are zero already
  void (*weigh)(const WeighArgs<T>&);            // by a table
  double (*weigh_line)(const WeighLine<T>&, double scale);
  T (*focal_peak)(const WeighLine<T>&);  // largest |F|^2
  double (*weigh_focal_line)(const WeighLine<T>&, double scale, double exponent, T largest);
  void (*small_step)(const SmallLineArgs<T>&);
  void (*residual)(const ResidualArgs<T>&);
  void (*residual_gradient)(const ResidualGradientArgs<T>&);
  void (*transpose)(const TransposeArgs<T>&);
  void (*twiddle)(const TwiddleArgs<T>&);
  void (*hadamard)(const HadamardArgs<T>&);
  void (*hadamard_of_integers)(const HadamardArgs<typename Fixed<T>::type>&);
  void (*direct_type1)(const DirectArgs<T>&);
  void (*direct_type2)(const DirectArgs<T>&);
  void (*exponential_sums)(const ExponentialSumsArgs<T>&, bool complex_in, bool complex_out);
  void (*exponential_sums_gradient)(const ExponentialSumsArgs<T>&, bool complex_in, bool complex_out);
  void (*gaussian)(const GaussianArgs<T>&);
  void (*gaussian_gradient)(const GaussianArgs<T>&);
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
std::vector<std::string> supported_levels();  // best first

template <class T> const Kernels<T>& kernels();
template <> inline const Kernels<float>& kernels<float>() { return level().single; }
template <> inline const Kernels<double>& kernels<double>() { return level().twice; }

}  // namespace fastspec
