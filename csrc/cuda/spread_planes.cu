// The launch of spreading by planes, by width.
#include "spread_planes.h"

#include "launch.h"

namespace fastspec::cuda {

template <class T, int Parts>
void spread_planes(const SpreadArgs<T>& a, const PlanesShape& s, void* stream) {
  const int64_t transforms = a.points.sets * a.channels;
#define FASTSPEC_WIDTH(W)                                                                                           \
  if (a.width == W)                                                                                                 \
    return launch(SpreadPlanes<T, Parts, W>{a, s}, {transforms * s.chunks.per_set, threads_of_planes(W), s.shared}, \
                  stream);
  if constexpr (sizeof(T) == 4) {
    FASTSPEC_SINGLE_WIDTHS(FASTSPEC_WIDTH)
  } else {
    FASTSPEC_DOUBLE_WIDTHS(FASTSPEC_WIDTH)
  }
#undef FASTSPEC_WIDTH
  throw std::runtime_error("polynomials: of a width that no kernel is made for");
}

template void spread_planes<float, 1>(const SpreadArgs<float>&, const PlanesShape&, void*);
template void spread_planes<float, 2>(const SpreadArgs<float>&, const PlanesShape&, void*);
template void spread_planes<double, 1>(const SpreadArgs<double>&, const PlanesShape&, void*);
template void spread_planes<double, 2>(const SpreadArgs<double>&, const PlanesShape&, void*);

}  // namespace fastspec::cuda
