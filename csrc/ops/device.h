// Where an op's work is done: the kernels, their work space, and whatever else differs between devices. The body of an
// op is written once, for a Device. It is made of all tensors of the op, before any is allocated.
#pragma once
#include <numeric>

#include "../cpu/weighing.h"
#include "tensors.h"
#if defined(USE_CUDA) || defined(FASTSPEC_EMULATED)
#include "../cuda/stages.h"
#endif
#ifdef USE_CUDA
#include <torch/csrc/stable/accelerator.h>
#endif

#pragma GCC visibility push(hidden)  // as torch's tensors are

namespace fastspec {

struct Cpu {
  static constexpr bool kBlocks = true;  // whether there are FFTs by blocks of the cache

  template <class... Tensors>
  explicit Cpu(const Tensors&...) {}

  template <class T>
  void sort(SortArgs<T> a) const {
    std::unique_ptr<bool[]> finite(new bool[size_t(a.sets)]);
    a.finite = finite.get();
    kernels<T>().sort(a);
    for (int64_t s = 0; s < a.sets; ++s) STD_TORCH_CHECK(finite[s], "x: has non-finite points, or too far ones");
  }
  template <class T>
  void spread(const SpreadArgs<T>& a) const {
    kernels<T>().spread(a);
  }
  template <class T>
  void interpolate(const InterpolateArgs<T>& a) const {
    kernels<T>().interpolate(a);
  }
  template <class T>
  void deconvolve(const DeconvolveArgs<T>& a) const {
    kernels<T>().deconvolve(a);
  }
  template <class T>
  void pad(DeconvolveArgs<T> a, Tensor& fine) const {
    int64_t count = 0;
    for (int d = 0; d < a.band.dim; ++d) count += a.band.modes[d];
    std::vector<T> factors(a.factors, a.factors + (a.edge == 1 ? 0 : count));
    if (a.edge != 1) {
      factors.back() *= a.edge;
      a.factors = factors.data();
    }
    torch::stable::zero_(fine);
    kernels<T>().pad(a);
  }
  template <class T>
  void weigh(const WeighArgs<T>& a) const {
    weigh_spectrum(a);
  }
  // As many doubles, of which get() tells the place.
  std::unique_ptr<double[]> numbers(int64_t count) const { return uninitialised<double>({count}); }
  template <class T>
  void residual(const ResidualArgs<T>& a) const {
    kernels<T>().residual(a);
  }
  template <class T>
  void residual_gradient(const ResidualGradientArgs<T>& a) const {
    kernels<T>().residual_gradient(a);
  }
  template <class T>
  void total(const TotalArgs<T>& a) const {
    if (a.adds)
      *a.loss = T(std::accumulate(a.sums, a.sums + a.count, 0.0));
    else
      std::copy(a.sums, a.sums + a.count, a.loss);
  }
  template <class T>
  void hadamard(const HadamardArgs<T>& a) const {
    if constexpr (std::is_floating_point_v<T>)
      kernels<T>().hadamard(a);
    else
      kernels<std::conditional_t<sizeof(T) == 4, float, double>>().hadamard_of_integers(a);
  }
};

#if defined(USE_CUDA) || defined(FASTSPEC_EMULATED)

// Launches go to the first tensor's device and torch's current stream there.
class Cuda {
 public:
  static constexpr bool kBlocks = false;

  template <class... Others>
  explicit Cuda(const Tensor& first, const Others&... others)
      : like_(first)
#ifdef USE_CUDA
        ,
        guard_(first.get_device_index())
#endif
  {
    STD_TORCH_CHECK(((others.device() == first.device()) && ...), "tensors on different devices");
#ifdef USE_CUDA
    TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(first.get_device_index(), &stream_));
#endif
  }

  // Points that are not finite, or too far, come last, in no tile: Python asks for them where it may wait.
  template <class T>
  void sort(SortArgs<T> a) const {
    STD_TORCH_CHECK(a.sets * cuda::sort_keys(a.grid, a.count) < (int64_t(1) << 32),
                    "x: too many point sets for as many tiles");
    const size_t position_bytes = sizeof(typename Fixed<T>::type);
    Tensor held = space(int64_t(cuda::sort_workspace(a.grid, a.sets, a.count, position_bytes)), ScalarType::Byte);
    a.space = held.mutable_data_ptr();
    cuda::sort(a, stream_);
  }
  template <class T>
  void spread(const SpreadArgs<T>& a) const {
    cuda::spread(a, stream_);
  }
  template <class T>
  void interpolate(const InterpolateArgs<T>& a) const {
    cuda::interpolate(a, stream_);
  }
  template <class T>
  void deconvolve(const DeconvolveArgs<T>& a) const {
    cuda::deconvolve(a, stream_);
  }
  template <class T>
  void pad(const DeconvolveArgs<T>& a, Tensor&) const {
    cuda::pad(a, stream_);
  }
  template <class T>
  void weigh(WeighArgs<T> a) const {
    Tensor partial = space(cuda::weigh_workspace(a.band, a.transforms), ScalarType::Double);
    Tensor largest = space(a.transforms, real_type(sizeof(T) == 4));
    a.partial = out<double>(partial);
    a.largest = out<T>(largest);
    cuda::weigh(a, stream_);
  }
  auto numbers(int64_t count) const {
    struct Numbers {
      Tensor held;
      double* get() const { return static_cast<double*>(held.mutable_data_ptr()); }
    };
    return Numbers{space(count, ScalarType::Double)};
  }
  template <class T>
  void residual(const ResidualArgs<T>& a) const {
    cuda::residual(a, stream_);
  }
  template <class T>
  void residual_gradient(const ResidualGradientArgs<T>& a) const {
    cuda::residual_gradient(a, stream_);
  }
  template <class T>
  void total(const TotalArgs<T>& a) const {
    cuda::total(a, stream_);
  }
  template <class T>
  void hadamard(const HadamardArgs<T>& a) const {
    cuda::hadamard(a, stream_);
  }

 private:
  const Tensor& like_;
#ifdef USE_CUDA
  torch::stable::accelerator::DeviceGuard guard_;
#endif
  void* stream_ = nullptr;

  Tensor space(int64_t count, ScalarType dtype) const { return empty(like_, {count}, dtype); }
};

#endif

}  // namespace fastspec

#pragma GCC visibility pop
