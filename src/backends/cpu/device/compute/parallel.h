// Work in parts on several cores. A part's result never depends on the thread that computes it.
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace kiln::cpu {

// Threads that compute at once: OMP_NUM_THREADS when set, else the processors that this process may use. Read once.
int thread_count() noexcept;

// Calls function(context, part) once for each part in [0, parts), part 0 in the calling thread. The pool's threads take
// parts as they find time; the caller computes what nobody has begun, so a thread that the system does not run delays no one.
// From any number of threads, also within a part. Neither allocates (after the first call) nor locks.
using PartFunction = void (*)(void* context, int part);
void run_parts(int parts, PartFunction function, void* context) noexcept;

template <class Body> void parallel(int parts, Body&& body) noexcept {
  if (parts <= 1) {
    if (parts == 1) body(0);
    return;
  }
  using Plain = std::remove_reference_t<Body>;
  run_parts(
      parts, [](void* context, int part) { (*static_cast<Plain*>(context))(part); },
      const_cast<std::remove_const_t<Plain>*>(std::addressof(body)));
}

// Work below this many nanoseconds per extra thread is not worth waking one.
inline constexpr double kNanosecondsPerThread = 2'500;

inline int useful_threads(int threads, double nanoseconds) {
  return static_cast<int>(std::clamp<double>(nanoseconds / kNanosecondsPerThread, 1, std::max(threads, 1)));
}

// How much longer than its share the busiest of `threads` threads works when pieces are not split.
inline double imbalance(int64_t pieces, int threads) {
  const int64_t most = (pieces + threads - 1) / threads;
  return static_cast<double>(most * threads) / static_cast<double>(pieces);
}

// Calls body(begin, end, part) for `parts` disjoint ranges, fewer when count is less, that cover [0, count).
template <class Body> void parallel_ranges(int parts, int64_t count, Body&& body) noexcept {
  parts = static_cast<int>(std::min<int64_t>(parts, count));
  parallel(parts, [&](int part) {
    const int64_t begin = count * part / parts, end = count * (part + 1) / parts;
    if constexpr (std::is_invocable_v<Body&, int64_t, int64_t, int>) body(begin, end, part);
    else body(begin, end);
  });
}

}  // namespace kiln::cpu
