// Independent pieces of long work on all cores.
#include "base/in_parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace kiln {

namespace {

size_t cores() { return std::max(1u, std::thread::hardware_concurrency()); }

thread_local bool is_one_of_many = false;

}  // namespace

OneOfMany::OneOfMany() noexcept : before_(std::exchange(is_one_of_many, true)) {}
OneOfMany::~OneOfMany() { is_one_of_many = before_; }

void in_parallel(size_t count, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next{0};
  std::exception_ptr failure;
  std::mutex mutex;
  const size_t threads = is_one_of_many ? 1 : std::min(count, cores());
  const auto work_on = [&] {
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
    const auto run = [&] {
      const OneOfMany one;
      work_on();
    };
    try {
      while (others.size() + 1 < threads) others.emplace_back(run);
    } catch (const std::system_error&) {
      // No more threads can be started: those that there are do all.
    }
    if (others.empty()) work_on();
    else run();
  }
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
