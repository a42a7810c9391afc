// Tensors as the kernels see them: allocation, pointers and precision.
#pragma once
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <new>
#include <vector>

#include "../cpu/failures.h"
#include "check.h"

namespace fastspec {

template <class T>
const T* in(const Tensor& t) {
  return static_cast<const T*>(t.const_data_ptr());
}
template <class T>
T* out(Tensor& t) {
  return static_cast<T*>(t.mutable_data_ptr());
}

// A fresh large tensor is mostly page faults: with huge pages there are 512 times fewer. A smaller one is mostly memory
// that was used before.
inline void ask_for_huge_pages(void* data, size_t bytes) {
#ifdef __linux__
  constexpr size_t huge = size_t(1) << 21;
  const size_t first = (reinterpret_cast<size_t>(data) + huge - 1) / huge * huge;
  const size_t last = (reinterpret_cast<size_t>(data) + bytes) / huge * huge;
  if (first + 4 * huge <= last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

inline size_t bytes_of(ScalarType dtype) {
  switch (dtype) {
    case ScalarType::Byte:
      return 1;
    case ScalarType::Int:
    case ScalarType::Float:
      return 4;
    case ScalarType::ComplexDouble:
      return 16;
    default:
      return 8;
  }
}

// Straight through torch's C interface: an allocation by way of the dispatcher costs as much as a hundred points.
inline Tensor empty(const Tensor& like, const std::vector<int64_t>& size, ScalarType dtype) {
  std::vector<int64_t> stride(size.size());
  for (int64_t a = int64_t(size.size()) - 1, next = 1; a >= 0; next *= std::max<int64_t>(size[a--], 1))
    stride[a] = next;
  int32_t device, index;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_device_type(like.get(), &device));
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_device_index(like.get(), &index));
  const int32_t type = torch::stable::detail::to<int32_t>(torch::stable::detail::from(dtype));
  AtenTensorHandle made = nullptr;
  if (aoti_torch_empty_strided(int64_t(size.size()), size.data(), stride.data(), type, device, index, &made)) {
    double bytes = double(bytes_of(dtype));
    for (int64_t n : size) bytes *= double(n);
    no_memory(bytes);
  }
  Tensor result(made);
  if (device == aoti_torch_device_type_cpu())
    ask_for_huge_pages(result.mutable_data_ptr(), size_t(result.numel()) * result.element_size());
  return result;
}

inline ScalarType real_type(bool single) { return single ? ScalarType::Float : ScalarType::Double; }
inline ScalarType real_type(const Tensor& t) { return real_type(is_single(t)); }

inline ScalarType complex_type(const Tensor& t) {
  return is_single(t) ? ScalarType::ComplexFloat : ScalarType::ComplexDouble;
}

// As many numbers as the product of counts, none of them negative.
template <class T>
std::unique_ptr<T[]> uninitialised(std::initializer_list<int64_t> counts) {
  constexpr double most = double(int64_t(1) << 60);
  double bytes = double(sizeof(T));
  size_t size = 1;
  for (int64_t n : counts) {
    bytes *= double(n);
    size *= size_t(n);
  }
  std::unique_ptr<T[]> made(bytes < most ? new (std::nothrow) T[size] : nullptr);
  if (!made) no_memory(bytes);
  return made;
}

template <class T>
bool is_finite(const T* numbers, int64_t count) {
  bool finite = true;
  for (int64_t i = 0; i < count; ++i) finite &= numbers[i] - numbers[i] == 0;
  return finite;
}

// Sizes from ... to - 1 of a tensor, and `count` more.
inline std::vector<int64_t> shape(const Tensor& first, int from, int to, const int64_t* rest = nullptr, int count = 0) {
  std::vector<int64_t> size;
  for (int i = from; i < to; ++i) size.push_back(first.size(i));
  size.insert(size.end(), rest, rest + count);
  return size;
}

inline std::vector<int64_t> sizes(const Tensor& t) { return shape(t, 0, int(t.dim())); }

// body(float{}) or body(double{})
template <class Body>
void by_size(bool single, Body&& body) {
  if (single)
    body(float{});
  else
    body(double{});
}

template <class Body>
void by_precision(const Tensor& t, Body&& body) {
  by_size(is_single(t), body);
}

}  // namespace fastspec
