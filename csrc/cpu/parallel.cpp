// Torch's threads: the only file beside the kernels that sees torch.
#include "parallel.h"

#include <torch/csrc/stable/ops.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <stdexcept>

namespace fastspec {
namespace {

std::atomic<bool (*)()> interrupted{nullptr};

// The first exception of several threads.
class Failure {
 public:
  void keep(std::exception_ptr error) {
    if (!any_.exchange(true)) error_ = error;
  }
  void throw_again() const {
    if (any_) std::rethrow_exception(error_);
  }

 private:
  std::atomic<bool> any_{false};
  std::exception_ptr error_;
};

}  // namespace

void run_tasks(int64_t count, Task task, void* context) {
  std::atomic<int64_t> next{0};
  Failure failure;
  const int64_t threads = std::min<int64_t>(count, thread_count());
  torch::stable::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    try {
      for (int64_t thread = begin; thread < end; ++thread)
        for (int64_t i = next++; i < count; i = next++) {
          task(context, i);
          poll();
        }
    } catch (...) {
      failure.keep(std::current_exception());
      next = count;  // the others stop too
    }
  });
  failure.throw_again();
}

int thread_count() { return int(torch::stable::get_num_threads()); }

void poll() {
  using Clock = std::chrono::steady_clock;
  constexpr auto between = std::chrono::milliseconds(100);
  thread_local Clock::time_point last;
  const auto now = Clock::now();
  if (now - last < between) return;
  last = now;
  const auto ask = interrupted.load();
  if (ask && ask()) throw std::runtime_error("interrupted");
}

void poll_by(bool (*ask)()) { interrupted = ask; }

}  // namespace fastspec
