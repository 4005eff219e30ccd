// Static splitting of a loop over OpenMP threads: thread t of T always takes the same piece, so results do not depend on timing.
#pragma once
#include <omp.h>

#include <algorithm>
#include <cstdint>

namespace kiln::cpu {

// Work below this many nanoseconds per extra thread is not worth waking one.
inline constexpr double kNanosecondsPerThread = 10'000;

inline int useful_threads(int threads, double nanoseconds) {
  return static_cast<int>(std::clamp<double>(nanoseconds / kNanosecondsPerThread, 1, std::max(threads, 1)));
}

// Calls body(begin, end) for disjoint ranges that cover [0, count), one range per thread.
template <class Body> void parallel_ranges(int threads, int64_t count, Body&& body) noexcept {
  threads = static_cast<int>(std::min<int64_t>(threads, count));
  if (threads <= 1) {
    if (count > 0) body(int64_t{0}, count);
    return;
  }
#pragma omp parallel num_threads(threads)
  {
    const int64_t n = omp_get_num_threads(), t = omp_get_thread_num();
    const int64_t begin = count * t / n, end = count * (t + 1) / n;
    if (begin < end) body(begin, end);
  }
}

}  // namespace kiln::cpu
