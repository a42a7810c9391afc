#include "failures.h"

#include <cstdio>
#include <stdexcept>

namespace fastspec {

void no_memory(double bytes_asked_for) {
  char text[96];
  std::snprintf(text, sizeof text, "not enough memory: %.0f bytes were asked for", bytes_asked_for);
  throw std::runtime_error(text);
}

void refuse_places() { throw std::runtime_error("position, order and starts: not of points sorted for this grid"); }

}  // namespace fastspec
