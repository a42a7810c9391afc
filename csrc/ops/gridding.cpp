// Sort, spread and interpolate as ops: what is said of them in fastspec's ops.py.
#include "gridding.h"

#include "boxed.h"

namespace fastspec {
namespace {

// `single` says whether the strengths and values will be float32, whatever x is.
template <class Device>
std::tuple<Tensor, Tensor, Tensor> sort(const Tensor& x, const Floats& period, const Ints& cells, const Ints& tile,
                                        int64_t width, bool single) {
  const Grid g = make_grid(cells, tile, int(width));
  check_points(x, period, g, int(width));
  const Device device(x);
  const int64_t sets = x.size(0), count = x.size(1);
  Tensor position = empty(x, {sets, count, g.dim}, single ? ScalarType::Int : ScalarType::Long);
  Tensor order = empty(x, {sets, count}, ScalarType::Int);
  Tensor starts = empty(x, {sets, g.tile_count() + 1}, ScalarType::Int);
  by_size(single, [&](auto zero) {
    using T = decltype(zero);
    SortArgs<T> a{g, int(width), {}, x.const_data_ptr(), is_single(x), sets, count};
    for (int d = 0; d < g.dim; ++d) a.cells_per_unit[d] = rate_of(double(g.cells[d]), period[d]);
    a.position = static_cast<typename Fixed<T>::type*>(position.mutable_data_ptr());
    a.order = out<int32_t>(order);
    a.starts = out<int32_t>(starts);
    device.sort(a);
  });
  return {position, order, starts};
}

template <class Device, bool Ordered>
Tensor spread(const SortedPoints& points, const Tensor& strengths, const Ints& cells, const Ints& tile) {
  check_tensor(strengths, "strengths", 3);
  check_floating(strengths, "strengths");
  const Grid g = points.on(cells, tile, is_single(strengths));
  check_size(strengths, "strengths", 0, points.sets());
  check_size(strengths, "strengths", 2, points.count());
  const Device device = points.with<Device>(strengths);
  Tensor grid = empty(strengths, shape(strengths, 0, 2, g.cells, g.dim), strengths.scalar_type());
  Gridding{points, g}.spread(device, strengths, strengths.size(1), grid, Ordered);
  return grid;
}

Gridding points_on(const Tensor& grid, const SortedPoints& points, const Ints& tile) {
  STD_TORCH_CHECK(grid.dim() >= 3, "grid: rank ", grid.dim(), ", must be 3 to 5");
  check_tensor(grid, "grid", grid.dim());
  check_floating(grid, "grid");
  const Gridding gridding{points, points.on(shape(grid, 2, int(grid.dim())), tile, is_single(grid))};
  check_size(grid, "grid", 0, points.sets());
  return gridding;
}

Tensor values_of(const Tensor& grid, const SortedPoints& points) {
  return empty(grid, {grid.size(0), grid.size(1), points.count()}, grid.scalar_type());
}

template <class Device>
Tensor interpolate(const SortedPoints& points, const Tensor& grid, const Ints& tile) {
  const Gridding gridding = points_on(grid, points, tile);
  const Device device = points.with<Device>(grid);
  Tensor values = values_of(grid, points);
  gridding.interpolate(device, grid, grid.size(1), [&](auto& a) { point_to(a.values, values); });
  return values;
}

template <class Device>
std::tuple<Tensor, Tensor> interpolate_slopes(const SortedPoints& points, const Tensor& grid, const Ints& tile) {
  const Gridding gridding = points_on(grid, points, tile);
  const Device device = points.with<Device>(grid);
  Tensor values = values_of(grid, points);
  Tensor slopes = empty(grid, {grid.size(0), grid.size(1), points.count(), gridding.grid.dim}, grid.scalar_type());
  gridding.interpolate(device, grid, grid.size(1), [&](auto& a) {
    point_to(a.values, values);
    point_to(a.slopes, slopes);
  });
  return {values, slopes};
}

template <class Device>
std::tuple<Tensor, Tensor> interpolate_gradient(const SortedPoints& points, const Tensor& grid, const Tensor& strengths,
                                                const Ints& tile, bool wanted) {
  const Gridding gridding = points_on(grid, points, tile);
  const int64_t sets = grid.size(0), channels = grid.size(1), count = points.count();
  check_tensor(strengths, "strengths", 3);
  check_dtype(strengths, "strengths", grid.scalar_type());
  check_size(strengths, "strengths", 0, sets);
  check_size(strengths, "strengths", 1, channels);
  check_size(strengths, "strengths", 2, count);
  const Device device = points.with<Device>(grid, strengths);
  Tensor values = wanted ? values_of(grid, points) : empty(grid, {0}, grid.scalar_type());
  Tensor gradient = empty(grid, {sets, count, gridding.grid.dim}, real_type(grid));
  if (channels == 0) torch::stable::zero_(gradient);  // a sum over none
  gridding.interpolate(device, grid, channels, [&](auto& a) {
    if (wanted) point_to(a.values, values);
    point_to(a.strengths, strengths);
    point_to(a.gradient, gradient);
  });
  return {values, gradient};
}

}  // namespace

static void define(torch::stable::detail::StableLibrary& m) {
  m.def("sort(Tensor x, float[] period, int[] cells, int[] tile, int width, bool single) -> (Tensor, Tensor, Tensor)");
  m.def(
      "spread(Tensor position, Tensor order, Tensor starts, Tensor polynomials, Tensor strengths, int[] cells, "
      "int[] tile) -> Tensor");
  m.def(
      "spread_ordered(Tensor position, Tensor order, Tensor starts, Tensor polynomials, Tensor strengths, int[] cells, "
      "int[] tile) -> Tensor");
  m.def(
      "interpolate(Tensor position, Tensor order, Tensor starts, Tensor polynomials, Tensor grid, int[] tile) -> "
      "Tensor");
  m.def(
      "interpolate_slopes(Tensor position, Tensor order, Tensor starts, Tensor polynomials, Tensor grid, int[] tile) "
      "-> (Tensor, Tensor)");
  m.def(
      "interpolate_gradient(Tensor position, Tensor order, Tensor starts, Tensor polynomials, Tensor grid, "
      "Tensor strengths, int[] tile, bool values) -> (Tensor, Tensor)");
}

template <class Device>
static void implement(torch::stable::detail::StableLibrary& m) {
  m.impl("sort", boxed<sort<Device>>);
  m.impl("spread", boxed<spread<Device, false>>);
  m.impl("spread_ordered", boxed<spread<Device, true>>);
  m.impl("interpolate", boxed<interpolate<Device>>);
  m.impl("interpolate_slopes", boxed<interpolate_slopes<Device>>);
  m.impl("interpolate_gradient", boxed<interpolate_gradient<Device>>);
}

}  // namespace fastspec

FASTSPEC_REGISTER
