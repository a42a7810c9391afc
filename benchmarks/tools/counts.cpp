// What counts.py runs under callgrind: each kernel of the AVX2 level once on small fixed cases, on one thread, without
// torch. Prints what each was counted over, and leaves one profile for each.
#include <valgrind/callgrind.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "cpu/levels.h"
#include "cpu/parallel.h"
#include "plan/plan.h"
#include "plan/window.h"

namespace fastspec {

void run_tasks(int64_t count, Task task, void* context) {
  for (int64_t i = 0; i < count; ++i) task(context, i);
}

int thread_count() { return 1; }

void poll() {}

namespace {

using Numbers = std::vector<float>;

struct Case {
  std::string name;
  std::vector<int64_t> modes;
  int64_t points;
};

const Case cases[] = {{"1-D", {20000}, 20000},
                      {"1-D, many points to a cell", {200}, 20000},
                      {"2-D", {128, 128}, 20000},
                      {"3-D", {32, 32, 32}, 20000}};

const Case direct_cases[] = {
    {"1-D, 64 modes", {64}, 2048}, {"2-D, 16 x 16 modes", {16, 16}, 2048}, {"3-D, 8 x 8 x 8 modes", {8, 8, 8}, 2048}};

template <class Body>
void counted(const std::string& kernel, const Case& c, const char* unit, int64_t units, Body&& body) {
  body();  // once beforehand, for what a first call allocates
  const std::string name = kernel + " " + c.name;
  CALLGRIND_START_INSTRUMENTATION;
  CALLGRIND_ZERO_STATS;
  body();
  CALLGRIND_DUMP_STATS_AT(name.c_str());
  CALLGRIND_STOP_INSTRUMENTATION;
  std::printf("%s;%s;%s;%lld\n", kernel.c_str(), c.name.c_str(), unit, static_cast<long long>(units));
}

Numbers uniform(size_t count) {
  static std::mt19937 bits(0);  // the same numbers with every standard library
  Numbers out(count);
  for (float& v : out) v = float(bits() >> 8) / float(1 << 24) - 0.5f;
  return out;
}

void require(bool held, const char* what) {
  if (!held) throw std::runtime_error(what);
}

Grid grid_of(const PlanChoice& plan) {
  Grid g{};
  g.dim = int(plan.cells.size());
  for (int a = 0; a < g.dim; ++a) {
    g.cells[a] = plan.cells[a];
    g.tile[a] = std::min(plan.tile[a], plan.cells[a]);
    g.tiles[a] = (g.cells[a] + g.tile[a] - 1) / g.tile[a];
  }
  return g;
}

Numbers polynomials_of(const PlanChoice& plan) {
  const std::vector<double> table = Window(plan.width, plan.sigma).polynomials();
  return Numbers(table.begin(), table.end());
}

// Over the half spectrum of the fine grid, its halved axis first.
void weigh(const Case& c, const Kernels<float>& kernels, const PlanChoice& plan) {
  WeighArgs<float> a{};
  a.transforms = a.weights = 1;
  a.scale = 1;
  Band& b = a.band;
  b.dim = int(plan.cells.size());
  int64_t cells = b.cells[0] = plan.cells.back() / 2 + 1;
  b.modes[0] = c.modes.back() / 2 + 1;
  for (int d = 1; d < b.dim; ++d) {
    cells *= b.cells[d] = plan.cells[d - 1];
    b.modes[d] = c.modes[d - 1] / 2 * 2 + 1;
    b.negative[d] = b.modes[d] / 2;
  }
  const Numbers weight(size_t(b.mode_count()), 1.0f);
  Numbers spectrum = uniform(size_t(2 * cells));
  double loss = 0;
  std::vector<double> partial(size_t(b.cells[0]));
  a.weight = weight.data();
  a.spectrum = spectrum.data();
  a.loss = &loss;
  a.partial = partial.data();
  counted("weigh", c, "cell", cells, [&] { kernels.weigh(a); });
  require(loss > 0, "weigh: no loss");
}

void run(const Case& c) {
  require(level_v3.supported(), "this processor has no AVX2");
  const Kernels<float>& kernels = level_v3.single;
  PlanRequest request{};
  request.modes = c.modes;
  request.points = c.points;
  request.eps = 1e-6;
  request.single = true;
  const PlanChoice plan = choose_plan(request);
  const Grid grid = grid_of(plan);

  const Numbers x = uniform(size_t(c.points) * grid.dim), polynomials = polynomials_of(plan);
  std::vector<uint32_t> position(x.size());
  std::vector<int32_t> order(c.points), starts(grid.tile_count() + 1);
  bool finite = false;
  SortArgs<float> s{};
  s.grid = grid;
  s.width = plan.width;
  for (int d = 0; d < grid.dim; ++d) s.cells_per_unit[d] = rate_of(double(grid.cells[d]), 1);
  s.x = x.data();
  s.x_single = true;
  s.sets = 1;
  s.count = c.points;
  s.position = position.data();
  s.order = order.data();
  s.starts = starts.data();
  s.finite = &finite;
  counted("sort", c, "point", c.points, [&] { kernels.sort(s); });
  require(finite && starts.back() == c.points, "sort: points lost");

  const Points<float> points{position.data(), order.data(), starts.data(), 1, c.points};
  const Numbers strengths(size_t(c.points), 1.0f);
  Numbers cells(size_t(grid.total())), values(strengths.size()), slopes(x.size());
  SpreadArgs<float> spread{};
  spread.grid = grid;
  spread.points = points;
  spread.width = plan.width;
  spread.polynomials = polynomials.data();
  spread.strengths = strengths.data();
  spread.out = cells.data();
  spread.channels = 1;
  counted("spread", c, "point", c.points, [&] { kernels.spread(spread); });

  InterpolateArgs<float> interpolate{};
  interpolate.grid = grid;
  interpolate.points = points;
  interpolate.width = plan.width;
  interpolate.polynomials = polynomials.data();
  interpolate.in = cells.data();
  interpolate.values = values.data();
  interpolate.channels = 1;
  counted("interpolate", c, "point", c.points, [&] { kernels.interpolate(interpolate); });
  require(values[0] > 0, "interpolate: no values");
  interpolate.slopes = slopes.data();
  counted("interpolate with slopes", c, "point", c.points, [&] { kernels.interpolate(interpolate); });

  weigh(c, kernels, plan);
}

// Direct sums of complex strengths.
void run_direct(const Case& c) {
  const Kernels<float>& kernels = level_v3.single;
  const Numbers x = uniform(size_t(c.points) * c.modes.size()), strengths(size_t(2 * c.points), 1.0f);
  DirectArgs<float> a{};
  a.dim = int(c.modes.size());
  a.sign = -1;
  for (int d = 0; d < a.dim; ++d) {
    DirectAxis& axis = a.axis[d == 0 ? 0 : d == a.dim - 1 ? 2 : 1];
    axis.modes = c.modes[d];
    axis.cycles_per_unit = rate_of(1, 1);
  }
  a.stride[2] = 1;
  a.stride[1] = a.axis[2].count();
  a.stride[0] = a.lefts();
  a.sets = a.channels = 1;
  a.points = c.points;
  a.chunks = direct_chunks(a.points, a.size());
  a.x = x.data();
  a.strengths = strengths.data();
  Numbers modes(size_t(2 * a.axis[0].count() * a.lefts())), values(strengths.size());
  std::vector<double> totals(size_t(a.chunks * a.size()));
  a.modes = modes.data();
  a.totals = totals.data();
  counted("direct type 1", c, "point", c.points, [&] { kernels.direct_type1(a); });
  a.spectrum = modes.data();
  a.modes = nullptr;
  a.values = values.data();
  Numbers packed(size_t(a.size()));
  a.packed = packed.data();
  counted("direct type 2", c, "point", c.points, [&] { kernels.direct_type2(a); });
  require(values[0] != 0, "direct type 2: no values");
}

}  // namespace
}  // namespace fastspec

int main() {
  for (const fastspec::Case& c : fastspec::cases) fastspec::run(c);
  for (const fastspec::Case& c : fastspec::direct_cases) fastspec::run_direct(c);
}
