#include "interpolate.h"

namespace fastspec::cuda {

template void interpolate_in<float, 2>(const InterpolateArgs<float>&, void*);
template void interpolate_in<double, 2>(const InterpolateArgs<double>&, void*);

}  // namespace fastspec::cuda
