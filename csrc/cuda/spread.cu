// Which way to spread, and the launch.
#include "spread.h"

#include "launch.h"
#include "spread_planes.h"

namespace fastspec::cuda {
namespace {

constexpr int64_t kLeastChunk = 256, kMostChunk = 4096;  // points

template <class T, int D, int Parts, SpreadBy By>
void launch_by(const SpreadArgs<T>& a, const SpreadShape& s, void* stream) {
  const int64_t transforms = a.points.sets * a.channels;
  const int64_t each = By == SpreadBy::kTiles ? a.grid.tile_count() : s.chunks.per_set;
  launch(Spread<T, D, Parts, By>{a, s}, {transforms * each, s.threads, s.shared}, stream);
}

// Whether blocks can hold tiles that shape `s` lays out, and it pays.
template <class T, class AnyShape>
bool holds_tiles(const SpreadArgs<T>& a, const AnyShape& s) {
  return s.shared <= most_shared() && !is_sparse(a.grid, s.region, a.points.count, a.width);
}

template <class T, int D, int Parts>
void spread_in(const SpreadArgs<T>& a, void* stream) {
  const int64_t transforms = a.points.sets * a.channels;
  const Chunks chunks = chunks_of(a.points.count, transforms, processors(), kLeastChunk, kMostChunk);
  auto shape = [&](SpreadBy by) { return spread_shape(a.grid, a.width, Parts, sizeof(T), by, chunks); };
  if (a.ordered) {
    const SpreadShape s = shape(SpreadBy::kTiles);
    if (s.shared > most_shared()) throw std::runtime_error("tile: larger than this device's shared memory");
    return launch_by<T, D, Parts, SpreadBy::kTiles>(a, s, stream);
  }
  clear(a.out, size_t(transforms * a.grid.total()) * Parts * sizeof(T), stream);
  if constexpr (D == 3) {
    const PlanesShape s = planes_shape<T, Parts>(a.grid, a.width, chunks);
    if (holds_tiles(a, s)) return spread_planes<T, Parts>(a, s, stream);
  } else {
    const SpreadShape s = shape(SpreadBy::kChunks);
    if (holds_tiles(a, s)) return launch_by<T, D, Parts, SpreadBy::kChunks>(a, s, stream);
  }
  launch_by<T, D, Parts, SpreadBy::kPoints>(a, shape(SpreadBy::kPoints), stream);
}

template <class T, int Parts>
void spread_parts(const SpreadArgs<T>& a, void* stream) {
  if (a.grid.dim == 1) return spread_in<T, 1, Parts>(a, stream);
  if (a.grid.dim == 2) return spread_in<T, 2, Parts>(a, stream);
  spread_in<T, 3, Parts>(a, stream);
}

}  // namespace

template <class T>
void spread(const SpreadArgs<T>& a, void* stream) {
  if (a.complex) return spread_parts<T, 2>(a, stream);
  spread_parts<T, 1>(a, stream);
}

template void spread(const SpreadArgs<float>&, void*);
template void spread(const SpreadArgs<double>&, void*);

}  // namespace fastspec::cuda
