// Interpolation by dimension; see interpolate.h.
#include "kernels.h"

namespace fastspec::cuda {

template <class T, int D>
void interpolate_in(const InterpolateArgs<T>& a, bool complex, void* stream);

template <class T>
void interpolate(const InterpolateArgs<T>& a, bool complex, void* stream) {
  if (a.grid.dim == 1) return interpolate_in<T, 1>(a, complex, stream);
  if (a.grid.dim == 2) return interpolate_in<T, 2>(a, complex, stream);
  interpolate_in<T, 3>(a, complex, stream);
}

template void interpolate(const InterpolateArgs<float>&, bool, void*);
template void interpolate(const InterpolateArgs<double>&, bool, void*);

}  // namespace fastspec::cuda
