// Every CUDA stage on small problems, for `make races`: ThreadSanitizer tells where two threads of a step, or of two
// blocks, come to the same number, and makes the program fail.
#include <cstdio>
#include <random>
#include <tuple>
#include <vector>

#include "../../csrc/cuda/launch.h"
#include "../../csrc/cuda/stages.h"
#include "../../csrc/plan/window.h"

namespace {

using namespace fastspec;

std::mt19937 generator(0);

template <class T>
std::vector<T> random_numbers(int64_t count) {
  std::uniform_real_distribution<double> uniform(0, 1);
  std::vector<T> numbers(count);
  for (T& number : numbers) number = T(uniform(generator));
  return numbers;
}

int64_t product(const std::vector<int64_t>& numbers) {
  int64_t all = 1;
  for (int64_t n : numbers) all *= n;
  return all;
}

Grid grid_of(const std::vector<int64_t>& cells, const std::vector<int64_t>& tile) {
  Grid g{};
  g.dim = int(cells.size());
  for (int a = 0; a < g.dim; ++a) {
    g.cells[a] = cells[a];
    g.tile[a] = tile[a];
    g.tiles[a] = cuda::ceil_div(cells[a], tile[a]);
  }
  return g;
}

template <class T>
struct Sorted {
  static constexpr int64_t kSets = 2;
  int64_t count;
  std::vector<typename Fixed<T>::type> position;
  std::vector<int32_t> order, starts;

  Sorted(const Grid& g, int width, int64_t count)
      : count(count), position(kSets * count * g.dim), order(kSets * count), starts(kSets * (g.tile_count() + 1)) {
    std::vector<double> x = random_numbers<double>(kSets * count * g.dim);
    for (size_t i = x.size() / 2; i < x.size(); ++i) x[i] *= 0.1;  // a crowded corner
    x[5] = NAN;
    std::vector<char> space(cuda::sort_workspace(g, kSets, count, sizeof position[0]));
    SortArgs<T> a{g,     width,           {},           x.data(),      false,   kSets,
                  count, position.data(), order.data(), starts.data(), nullptr, space.data()};
    for (int d = 0; d < g.dim; ++d) a.cells_per_unit[d] = rate_of(double(g.cells[d]), 1);
    cuda::sort(a, nullptr);
  }
  Points<T> points() const { return {position.data(), order.data(), starts.data(), kSets, count}; }
};

template <class T>
void spread_and_interpolate(const Grid& g, int width, bool complex, int64_t count) {
  constexpr int64_t channels = 2;
  const Sorted<T> sorted(g, width, count);
  const int64_t rows = Sorted<T>::kSets * channels * (complex ? 2 : 1);
  const std::vector<T> polynomials = random_numbers<T>(int64_t(window_degree(width) + 1) * width);
  const std::vector<T> strengths = random_numbers<T>(rows * count);
  std::vector<T> grid(rows * g.total()), values(rows * count), slopes(rows * count * g.dim);
  std::vector<T> gradient(Sorted<T>::kSets * count * g.dim);
  for (bool ordered : {false, true})
    cuda::spread<T>(
        {g, sorted.points(), width, complex, polynomials.data(), strengths.data(), grid.data(), channels, ordered},
        nullptr);
  InterpolateArgs<T> a{g, sorted.points(), width, complex, polynomials.data(), grid.data(), channels, values.data()};
  cuda::interpolate(a, nullptr);
  a.slopes = slopes.data();
  cuda::interpolate(a, nullptr);
  a.slopes = nullptr;
  a.strengths = strengths.data();
  a.gradient = gradient.data();
  cuda::interpolate(a, nullptr);
}

template <class T>
void deconvolve_pad_and_weigh(const std::vector<int64_t>& cells, const std::vector<int64_t>& modes) {
  constexpr int64_t transforms = 2;
  Band band{};
  band.dim = int(cells.size());
  int64_t factors = 0;
  for (int a = 0; a < band.dim; ++a) {
    band.cells[a] = cells[a];
    band.modes[a] = modes[a];
    band.negative[a] = a > 0 ? modes[a] / 2 : 0;
    factors += modes[a];
  }
  const std::vector<T> factor = random_numbers<T>(factors), weight = random_numbers<T>(product(modes));
  std::vector<T> fine = random_numbers<T>(2 * transforms * product(cells)), coarse(2 * transforms * product(modes));
  DeconvolveArgs<T> a{band, transforms, factor.data(), T(0.5), fine.data(), {}, coarse.data()};
  a.fine_stride[band.dim] = 1;
  for (int d = band.dim; d > 0; --d) a.fine_stride[d - 1] = a.fine_stride[d] * cells[d - 1];
  cuda::deconvolve(a, nullptr);
  cuda::pad(a, nullptr);
  std::vector<double> loss(transforms), partial(cuda::weigh_workspace(band, transforms));
  std::vector<T> largest(transforms);
  for (Rule rule : {Rule::kTable, Rule::kFocal}) {
    const std::vector<T>& by = rule == Rule::kTable ? weight : factor;
    cuda::weigh<T>(
        {band, transforms, rule, by.data(), 1, 0.3, {}, 0.5, fine.data(), loss.data(), partial.data(), largest.data()},
        nullptr);
  }
}

template <class T>
void hadamard() {
  for (auto [rows, length, inner] : std::vector<std::tuple<int64_t, int64_t, int64_t>>{
           {130, 16, 1}, {3, 1 << 11, 1}, {1, 1 << 15, 1}, {1, 1 << 16, 1}, {3, 64, 40}, {2, 1 << 12, 3}}) {
    const std::vector<T> in(rows * length * inner, T(1));
    std::vector<T> out(in.size());
    cuda::hadamard<T>({rows, length, inner, 1.0, in.data(), out.data()}, nullptr);
  }
}

template <class T>
void every_stage(const std::vector<int>& widths) {
  for (bool complex : {false, true})
    for (int width : widths) {
      spread_and_interpolate<T>(grid_of({600}, {75}), width, complex, 400);
      spread_and_interpolate<T>(grid_of({64}, {16}), width, complex, 3000);
      spread_and_interpolate<T>(grid_of({50, 44}, {25, 16}), width, complex, 600);
      spread_and_interpolate<T>(grid_of({28, 30, 20}, {28, 16, 16}), width, complex, 1200);
    }
  deconvolve_pad_and_weigh<T>({5000}, {3000});
  deconvolve_pad_and_weigh<T>({30, 300}, {21, 201});
  deconvolve_pad_and_weigh<T>({9, 20, 70}, {7, 9, 33});
  hadamard<T>();
}

}  // namespace

int main() {
  every_stage<float>({4, 7});
  every_stage<double>({6, 14});
  hadamard<uint32_t>();
  std::puts("no races");  // else ThreadSanitizer has told, and the program fails
}
