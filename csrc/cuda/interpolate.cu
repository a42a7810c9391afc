// Interpolation by dimension; see interpolate.h.
#include "stages.h"

namespace fastspec::cuda {

template <class T, int D>
void interpolate_in(const InterpolateArgs<T>& a, void* stream);

template <class T>
void interpolate(const InterpolateArgs<T>& a, void* stream) {
  if (a.grid.dim == 1) return interpolate_in<T, 1>(a, stream);
  if (a.grid.dim == 2) return interpolate_in<T, 2>(a, stream);
  interpolate_in<T, 3>(a, stream);
}

template void interpolate(const InterpolateArgs<float>&, void*);
template void interpolate(const InterpolateArgs<double>&, void*);

}  // namespace fastspec::cuda
