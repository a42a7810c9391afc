#include "memory.h"

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "failures.h"

namespace fastspec {

void release(void* memory) { std::free(memory); }

void* allocate(size_t bytes) {
  constexpr size_t line = 64;
  const bool fits = bytes <= SIZE_MAX - line;  // once rounded up, as aligned_alloc wants it
  void* const memory = fits ? std::aligned_alloc(line, (bytes + line - 1) / line * line) : nullptr;
  if (!memory && bytes) no_memory(double(bytes));
  return memory;
}

void* scratch(size_t bytes) {
  thread_local std::unique_ptr<void, void (*)(void*)> memory(nullptr, release);
  thread_local size_t held = 0;
  if (bytes > held) {
    memory.reset();  // before its place is taken
    held = 0;
    bytes += bytes / 8;  // for the next one, a little larger
    memory.reset(allocate(bytes));
    held = bytes;
  }
  return memory.get();
}

}  // namespace fastspec
