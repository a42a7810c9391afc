#include "levels.h"

#include <atomic>
#include <cstring>
#include <stdexcept>
#include <string>

namespace fastspec {
namespace {

const Level* const levels[] = {&level_v4, &level_v3, &level_generic};

const Level* best_level() {
  for (const Level* l : levels)
    if (l->supported()) return l;
  return &level_generic;
}

std::atomic<const Level*>& chosen() {
  static std::atomic<const Level*> level{best_level()};
  return level;
}

}  // namespace

const Level& level() { return *chosen().load(std::memory_order_relaxed); }

void select_level(const char* name) {
  for (const Level* l : levels) {
    if (std::strcmp(l->name, name)) continue;
    if (!l->supported()) throw std::invalid_argument(std::string("name: this processor has no ") + name);
    chosen() = l;
    return;
  }
  throw std::invalid_argument(std::string("name: was ") + name + ", must be generic, v3 or v4");
}

std::vector<std::string> supported_levels() {
  std::vector<std::string> names;
  for (const Level* l : levels)
    if (l->supported()) names.push_back(l->name);
  return names;
}

}  // namespace fastspec
