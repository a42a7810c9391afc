// Ops as functions of structs. Torch hands an op its arguments on a stack: a struct takes as many of them as it has
// members, in the schema's order, by its `read`. Otherwise as TORCH_BOX, which knows no structs.
#pragma once
#include <torch/csrc/stable/library.h>

#include <new>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <vector>

namespace fastspec {

using Ints = std::vector<int64_t>;
using Floats = std::vector<double>;

class Stack {
 public:
  Stack(StableIValue* values, uint64_t count) : values_(values), count_(count) {}

  // The next argument, owned from here on.
  template <class T>
  T next() {
    if constexpr (requires(Stack& s) { T::read(s); }) {
      return T::read(*this);
    } else {
      STD_TORCH_CHECK(taken_ < count_, "an op of more arguments than its schema");
      return torch::stable::detail::to<T>(values_[taken_++]);
    }
  }
  bool empty() const { return taken_ == count_; }

 private:
  StableIValue* values_;
  uint64_t count_, taken_ = 0;
};

template <class T>
void give(StableIValue* to, const T& result) {
  *to = torch::stable::detail::from(result);
}
template <class... T>
void give(StableIValue* to, const std::tuple<T...>& results) {
  std::apply([&](const T&... result) { (give(to++, result), ...); }, results);
}

template <auto Function>
struct Boxed;

template <class Result, class... Arguments, Result (*Function)(Arguments...)>
struct Boxed<Function> {
  static void call(StableIValue* values, uint64_t count, uint64_t) {
    Stack stack(values, count);
    // in braces, so from the first to the last
    const std::tuple<std::decay_t<Arguments>...> arguments{stack.next<std::decay_t<Arguments>>()...};
    STD_TORCH_CHECK(stack.empty(), "an op of fewer arguments than its schema");
    try {
      give(values, std::apply(Function, arguments));
    } catch (const std::bad_alloc&) {
      throw std::runtime_error("not enough memory for an op's small tables");
    }
  }
};

template <auto Function>
constexpr auto boxed = &Boxed<Function>::call;

}  // namespace fastspec

// At the end of a file of ops, which has define(library) with their schemas and implement<Device>(library): both for
// the CPU, and for CUDA where it is built. The tests' emulation, a library of its own, has CUDA's alone.
#define FASTSPEC_REGISTER_CPU                                         \
  STABLE_TORCH_LIBRARY_FRAGMENT(fastspec, m) { fastspec::define(m); } \
  STABLE_TORCH_LIBRARY_IMPL(fastspec, CPU, m) { fastspec::implement<fastspec::Cpu>(m); }
#define FASTSPEC_REGISTER_CUDA \
  STABLE_TORCH_LIBRARY_IMPL(fastspec, CUDA, m) { fastspec::implement<fastspec::Cuda>(m); }
#if defined(FASTSPEC_EMULATED)
#define FASTSPEC_REGISTER FASTSPEC_REGISTER_CUDA
#elif defined(USE_CUDA)
#define FASTSPEC_REGISTER FASTSPEC_REGISTER_CPU FASTSPEC_REGISTER_CUDA
#else
#define FASTSPEC_REGISTER FASTSPEC_REGISTER_CPU
#endif
