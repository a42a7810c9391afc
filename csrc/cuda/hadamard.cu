// The launches of a Walsh-Hadamard transform; see hadamard.h.
#include "hadamard.h"

namespace fastspec::cuda {

template <bool kAhead, class T>
void launch_pass(const HadamardPass& p, T scale, const T* in, T* out, void* stream) {
  launch(Hadamard<T, kAhead>{p, scale, in, out},
         {p.blocks, 1 << (p.tile_bits - HadamardSizes<T>::kRun), hadamard_shared<T>(p)}, stream);
}

template <class T>
void hadamard(const HadamardArgs<T>& a, void* stream) {
  const int64_t count = a.rows * a.length * a.inner;
  if (count == 0) return;
  const T* in = a.in;
  const auto plan = plan_hadamard<T>(count, a.length, a.inner, {most_shared(), processors()});
  for (const HadamardPass& p : plan) {
    const T scale = &p == &plan.back() ? T(a.scale) : T(1);
    goes_ahead<T>(p) ? launch_pass<true>(p, scale, in, a.out, stream) : launch_pass<false>(p, scale, in, a.out, stream);
    in = a.out;
  }
}

template void hadamard(const HadamardArgs<float>&, void*);
template void hadamard(const HadamardArgs<double>&, void*);
template void hadamard(const HadamardArgs<uint32_t>&, void*);
template void hadamard(const HadamardArgs<uint64_t>&, void*);

}  // namespace fastspec::cuda
