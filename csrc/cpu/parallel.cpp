// Torch's threads: the only file beside the kernels that sees torch.
#include "parallel.h"

#include <torch/csrc/stable/ops.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>

namespace fastspec {

void run_tasks(int64_t count, Task task, void* context) {
  std::atomic<int64_t> next{0};
  const int64_t threads = std::min<int64_t>(count, thread_count());
  torch::stable::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t thread = begin; thread < end; ++thread)
      for (int64_t i = next++; i < count; i = next++) task(context, i);
  });
}

int thread_count() { return int(torch::stable::get_num_threads()); }

void* scratch(size_t bytes) {
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  thread_local std::unique_ptr<void, Free> memory;
  thread_local size_t held = 0;
  if (bytes > held) {
    held = (bytes + 4095) / 4096 * 4096;
    memory.reset(std::aligned_alloc(64, held));
  }
  return memory.get();
}

}  // namespace fastspec
