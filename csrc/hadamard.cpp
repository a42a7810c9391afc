// The op of the Walsh-Hadamard transform: checks, allocation and dispatch by number.
#include "ops.h"
#define FASTSPEC_LEVEL declarations
#include "cpu/hadamard.h"
#include "cpu/kernels.h"

namespace fastspec {

template <class T>
static HadamardArgs<T> arguments(const Tensor& x, double scale, Tensor& result) {
  const int64_t parts = is_complex(x) ? 2 : 1;
  return {x.size(0), x.size(1), x.size(2) * parts, scale, in<T>(x), out<T>(result)};
}

// A complex number is two real ones side by side. Integers are added as unsigned ones, which wrap around as torch's do.
Tensor hadamard(const Tensor& x, double scale) {
  check_tensor(x, "x", 3);
  const int64_t n = x.size(1);
  STD_TORCH_CHECK(n >= 1 && (n & (n - 1)) == 0, "x: size ", n, " at axis 1, must be a power of two");
  const ScalarType dtype = x.scalar_type();
  const bool integer = dtype == ScalarType::Int || dtype == ScalarType::Long;
  if (!integer) check_floating(x, "x");
  STD_TORCH_CHECK(!integer || scale == 1, "scale: must be 1 for integers");
  Tensor result = empty(x, {x.size(0), n, x.size(2)}, dtype);
  if (dtype == ScalarType::Int)
    kernels<float>().hadamard_of_integers(arguments<uint32_t>(x, scale, result));
  else if (dtype == ScalarType::Long)
    kernels<double>().hadamard_of_integers(arguments<uint64_t>(x, scale, result));
  else
    by_precision(x, [&](auto zero) {
      using T = decltype(zero);
      kernels<T>().hadamard(arguments<T>(x, scale, result));
    });
  return result;
}

}  // namespace fastspec
