// The launches of a Walsh-Hadamard transform; see hadamard.h.
#include "hadamard.h"

namespace fastspec::cuda {

template <class T>
void hadamard(const HadamardArgs<T>& a, void* stream) {
  const int64_t count = a.rows * a.length * a.inner;
  if (count == 0) return;
  const T* in = a.in;
  const auto plan = plan_hadamard<T>(count, a.length, a.inner, most_shared(), processors());
  for (const HadamardPass& p : plan) {
    const int64_t down = ceil_div(p.rows, int64_t(1) << (p.tile_bits - p.column_bits));
    const T scale = &p == &plan.back() ? T(a.scale) : T(1);
    launch(Hadamard<T>{p, scale, in, a.out},
           {down * p.tiles_across, 1 << (p.tile_bits - HadamardSizes<T>::kRun), hadamard_shared<T>(p.tile_bits)},
           stream);
    in = a.out;
  }
}

template void hadamard(const HadamardArgs<float>&, void*);
template void hadamard(const HadamardArgs<double>&, void*);
template void hadamard(const HadamardArgs<uint32_t>&, void*);
template void hadamard(const HadamardArgs<uint64_t>&, void*);

}  // namespace fastspec::cuda
