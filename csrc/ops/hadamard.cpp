// The Walsh-Hadamard transform as an op: what is said of it in fastspec's ops.py.
#include "boxed.h"
#include "device.h"

namespace fastspec {
namespace {

bool is_integer(const Tensor& t) { return t.scalar_type() == ScalarType::Int || t.scalar_type() == ScalarType::Long; }

// body(number) with a number of the kind that lines are made of. A complex number is two real ones side by side.
// Integers are added as unsigned ones, which wrap around as torch's do.
template <class Body>
void by_number(const Tensor& t, Body&& body) {
  if (t.scalar_type() == ScalarType::Int)
    body(uint32_t{});
  else if (t.scalar_type() == ScalarType::Long)
    body(uint64_t{});
  else
    by_precision(t, body);
}

template <class Device>
Tensor hadamard(const Tensor& x, double scale) {
  check_tensor(x, "x", 3);
  const int64_t n = x.size(1);
  STD_TORCH_CHECK(n >= 1 && (n & (n - 1)) == 0, "x: size ", n, " at axis 1, must be a power of two");
  if (!is_integer(x)) check_floating(x, "x");
  STD_TORCH_CHECK(!is_integer(x) || scale == 1, "scale: must be 1 for integers");
  const Device device(x);
  Tensor result = empty(x, sizes(x), x.scalar_type());
  by_number(x, [&](auto zero) {
    using T = decltype(zero);
    const int64_t parts = is_complex(x) ? 2 : 1;
    device.hadamard(HadamardArgs<T>{x.size(0), n, x.size(2) * parts, scale, in<T>(x), out<T>(result)});
  });
  return result;
}

}  // namespace

static void define(torch::stable::detail::StableLibrary& m) { m.def("hadamard(Tensor x, float scale) -> Tensor"); }

template <class Device>
static void implement(torch::stable::detail::StableLibrary& m) {
  m.impl("hadamard", boxed<hadamard<Device>>);
}

}  // namespace fastspec

FASTSPEC_REGISTER
