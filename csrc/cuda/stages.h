// The CUDA stages: the structs of ../stages.h with memory of the current device, and a stream.
#pragma once
#include "../stages.h"

namespace fastspec::cuda {

// Bytes of SortArgs::space, for positions of as many bytes along an axis.
size_t sort_workspace(const Grid& grid, int64_t sets, int64_t count, size_t position_bytes);
// Keys of a set: its tiles, or cells where sorted_by_cell says so, and one for points that are not finite.
int64_t sort_keys(const Grid& grid, int64_t count);

template <class T> void sort(const SortArgs<T>& a, void* stream);
template <class T> void spread(const SpreadArgs<T>& a, void* stream);
template <class T> void interpolate(const InterpolateArgs<T>& a, void* stream);
template <class T> void deconvolve(const DeconvolveArgs<T>& a, void* stream);
template <class T> void pad(const DeconvolveArgs<T>& a, void* stream);
int64_t weigh_workspace(const Band& band, int64_t transforms);  // numbers of WeighArgs::partial
template <class T> void weigh(const WeighArgs<T>& a, void* stream);
template <class T> void residual(const ResidualArgs<T>& a, void* stream);
template <class T> void residual_gradient(const ResidualGradientArgs<T>& a, void* stream);
template <class T> void total(const TotalArgs<T>& a, void* stream);
template <class T> void hadamard(const HadamardArgs<T>& a, void* stream);

}  // namespace fastspec::cuda
