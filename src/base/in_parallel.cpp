// Independent pieces of long work on all cores.
#include "base/in_parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace kiln {

namespace {

size_t cores() { return std::max(1u, std::thread::hardware_concurrency()); }

thread_local bool is_one_of_many = false;

}  // namespace

void in_parallel(size_t count, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next{0};
  std::exception_ptr failure;
  std::mutex mutex;
  const bool is_nested = std::exchange(is_one_of_many, true);
  const auto run = [&] {
    is_one_of_many = true;
    for (size_t i = next++; i < count; i = next++) {
      try {
        work(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
        next = count;
      }
    }
  };
  {
    std::vector<std::jthread> others;
    for (size_t i = 1; !is_nested && i < std::min(count, cores()); ++i) others.emplace_back(run);
    run();
  }
  is_one_of_many = is_nested;
  if (failure) std::rethrow_exception(failure);
}

void in_parallel_ranges(int64_t count, int64_t least, const std::function<void(int64_t, int64_t)>& work) {
  if (count <= 0) return;
  const int64_t ranges = std::clamp<int64_t>(count / std::max<int64_t>(least, 1), 1, static_cast<int64_t>(cores()));
  if (ranges == 1) return work(0, count);
  in_parallel(static_cast<size_t>(ranges), [&](size_t i) {
    const auto begin_of = [&](int64_t range) { return count / ranges * range + std::min(range, count % ranges); };
    work(begin_of(static_cast<int64_t>(i)), begin_of(static_cast<int64_t>(i) + 1));
  });
}

}  // namespace kiln
