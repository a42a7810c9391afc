// The op of the Walsh-Hadamard transform: checks, allocation and dispatch by number.
#include <type_traits>

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

Tensor hadamard(const Tensor& x, double scale) {
  check_lines(x, scale);
  Tensor result = empty(x, shape(x, 0, 3, nullptr, 0), x.scalar_type());
  by_number(x, [&](auto zero) {
    using T = decltype(zero);
    const HadamardArgs<T> a = arguments<T>(x, scale, result);
    if constexpr (std::is_floating_point_v<T>)
      kernels<T>().hadamard(a);
    else
      kernels<std::conditional_t<sizeof(T) == 4, float, double>>().hadamard_of_integers(a);
  });
  return result;
}

}  // namespace fastspec
