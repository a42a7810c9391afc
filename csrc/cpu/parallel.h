// Work on torch's threads, for kernels that see no torch. Implemented in parallel.cpp.
#pragma once
#include <cstdint>

namespace fastspec {

using Task = void (*)(void* context, int64_t index);

// Runs task(0) ... task(count - 1), each once, in any order, on torch's threads, the next free one taking the next.
// What the first task to fail threw is thrown again, once no thread is in one.
void run_tasks(int64_t count, Task task, void* context);
int thread_count();

// Throws where the user has interrupted. Long tasks ask now and then; run_tasks does between tasks.
void poll();
// How to find that out: `ask` is called a few times a second at most, on any thread, and says whether to stop.
void poll_by(bool (*ask)());

// `cost` estimates all the work in elementary operations: little work stays on the calling thread.
template <class F>
inline void parallel(int64_t count, double cost, F&& body) {
#ifdef FASTSPEC_RACES
  constexpr double worth_waking_a_thread = 0;
#else
  constexpr double worth_waking_a_thread = 3e4;
#endif
  if (count <= 1 || cost < worth_waking_a_thread) {
    for (int64_t i = 0; i < count; ++i) body(i);
  } else {
    run_tasks(count, [](void* context, int64_t i) { (*static_cast<decltype(&body)>(context))(i); }, &body);
  }
}

}  // namespace fastspec
