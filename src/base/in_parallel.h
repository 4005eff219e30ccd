// Independent pieces of long work on all cores.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>

namespace kiln {

// While it lives, its thread is one of many: what it calls in_parallel() for is done on it alone.
class OneOfMany {
 public:
  OneOfMany() noexcept;
  OneOfMany(const OneOfMany&) = delete;
  OneOfMany& operator=(const OneOfMany&) = delete;
  ~OneOfMany();

 private:
  bool before_;
};

// Calls work(i) for each i below `count`, on as many threads as there are cores, the caller's among them; on the caller's alone where that
// is one of many already, and on fewer where no more can be started. The first exception is thrown again once all threads have ended; what had not begun by then is left out.
void in_parallel(size_t count, const std::function<void(size_t)>& work);

// Calls work(begin, end) for ranges that make up [0, count), each of at least `least`, but for one that is all: a loop for which more
// threads than pieces of that length would not pay.
void in_parallel_ranges(int64_t count, int64_t least, const std::function<void(int64_t, int64_t)>& work);

}  // namespace kiln
