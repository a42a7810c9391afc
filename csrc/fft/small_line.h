// Cosines and sines of a small grid, as cpu/small_line.h takes them.
#pragma once
#include <cmath>
#include <deque>
#include <vector>

#include "../stages.h"

namespace fastspec {

template <class T>
struct SmallLineTables {
  int64_t cells, modes, padded;
  std::vector<T> cosine, sine;

  SmallLineTables(int64_t cells, int64_t modes) : cells(cells), modes(modes) {
    const int64_t lanes = 64 / int64_t(sizeof(T));
    padded = (modes + lanes - 1) / lanes * lanes;
    cosine.resize(size_t((cells / 2 + 1) * padded));
    sine.resize(cosine.size());
    for (int64_t j = 0; j <= cells / 2; ++j)
      for (int64_t k = 0; k < modes; ++k) {
        const double angle = 2 * M_PI * double(j * k % cells) / double(cells);
        cosine[size_t(j * padded + k)] = T(std::cos(angle));
        sine[size_t(j * padded + k)] = T(std::sin(angle));
      }
  }

  static bool worth(int64_t cells, int64_t modes) {
    constexpr int64_t bytes_that_stay_in_cache = 1 << 18;
    return cells % 2 == 0 && cells <= kMostSmallCells && 2 * modes <= cells &&
           cells * modes * int64_t(sizeof(T)) <= bytes_that_stay_in_cache;
  }

  // Made once for the sizes that a thread uses.
  static const SmallLineTables& of(int64_t cells, int64_t modes) {
    constexpr size_t most = 8;
    thread_local std::deque<SmallLineTables> made;
    for (const SmallLineTables& t : made)
      if (t.cells == cells && t.modes == modes) return t;
    if (made.size() == most) made.pop_front();
    return made.emplace_back(cells, modes);
  }
};

}  // namespace fastspec
