// torch's FFTs, unnormalised, for ops that are composed in C++.
#pragma once
#include <torch/csrc/stable/stableivalue_conversions.h>

#include <array>
#include <vector>

#include "../ops/tensors.h"

namespace fastspec {

template <class... Args>
Tensor call(const char* op, const Args&... args) {
  std::array<StableIValue, sizeof...(args)> stack{torch::stable::detail::from(args)...};
  TORCH_ERROR_CODE_CHECK(torch_call_dispatcher(op, "", stack.data(), TORCH_ABI_VERSION));
  return torch::stable::detail::to<Tensor>(stack[0]);
}

// Real to half spectrum along the last axis, sign -1.
inline Tensor real_fft(const Tensor& x) {
  return call("aten::_fft_r2c", x, std::vector<int64_t>{x.dim() - 1}, int64_t(0), true);
}

// Half spectrum to n real numbers along the last axis, sign +1.
inline Tensor inverse_real_fft(const Tensor& x, int64_t n) {
  return call("aten::_fft_c2r", x, std::vector<int64_t>{x.dim() - 1}, int64_t(0), n);
}

inline Tensor fft(const Tensor& x, const std::vector<int64_t>& axes, int sign) {
  return call("aten::_fft_c2c", x, axes, int64_t(0), sign < 0);
}

}  // namespace fastspec
