#include "interpolate.h"

namespace fastspec::cuda {

template void interpolate_in<float, 2>(const InterpolateArgs<float>&, bool, void*);
template void interpolate_in<double, 2>(const InterpolateArgs<double>&, bool, void*);

}  // namespace fastspec::cuda
