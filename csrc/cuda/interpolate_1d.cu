#include "interpolate.h"

namespace fastspec::cuda {

template void interpolate_in<float, 1>(const InterpolateArgs<float>&, bool, void*);
template void interpolate_in<double, 1>(const InterpolateArgs<double>&, bool, void*);

}  // namespace fastspec::cuda
