// Torch's threads: the only file beside the kernels that sees torch.
#include "parallel.h"

#include <torch/csrc/stable/ops.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <stdexcept>
#ifdef FASTSPEC_RACES
#include <thread>
#include <vector>
#endif

namespace fastspec {
namespace {

#ifdef FASTSPEC_RACES

// For ThreadSanitizer, which does not see when torch's threads begin and end a task.
int64_t most_threads() { return 4; }

template <class Body>
void share(int64_t threads, const Body& body) {
  std::vector<std::thread> others;
  for (int64_t i = 1; i < threads; ++i) others.emplace_back(body, i, i + 1);
  body(0, 1);
  for (std::thread& other : others) other.join();
}

#else

int64_t most_threads() { return torch::stable::get_num_threads(); }

template <class Body>
void share(int64_t threads, const Body& body) {
  torch::stable::parallel_for(0, threads, 1, body);
}

#endif

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
  share(threads, [&](int64_t begin, int64_t end) {
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

int thread_count() { return int(most_threads()); }

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
