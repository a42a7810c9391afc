#include "interpolate.h"

namespace fastspec::cuda {

template void interpolate_in<float, 3>(const InterpolateArgs<float>&, void*);
template void interpolate_in<double, 3>(const InterpolateArgs<double>&, void*);

}  // namespace fastspec::cuda
