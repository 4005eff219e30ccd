// Long work that ends early: because somebody says so, or because it takes too long or too much memory. What works asks now and then.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>

namespace kiln {

struct WorkLimits {
  using Clock = std::chrono::steady_clock;
  const char* name = "work";                // "the build", in messages
  const std::atomic<bool>* stop = nullptr;  // true: end
  std::function<bool()> stopped = nullptr;  // the same, asked by the thread that works
  Clock::time_point deadline = Clock::time_point::max();
  double seconds = 0;                                        // until the deadline, in messages
  int64_t most_bytes = std::numeric_limits<int64_t>::max();  // of tensors that live at the same time
  int64_t most_rounds =
      std::numeric_limits<int64_t>::max();  // of loops that ask: a limit that holds alike on every machine
};

// All memory and swap of the machine: nothing larger can be filled, whatever the kernel promises.
int64_t machine_bytes();

// From now on, seconds that may be too many for a clock.
WorkLimits::Clock::time_point deadline_after(double seconds);

// While it lives the limits hold for this thread, beside those that hold already.
class WorkScope {
 public:
  explicit WorkScope(WorkLimits limits);
  ~WorkScope();
  WorkScope(const WorkScope&) = delete;
  WorkScope& operator=(const WorkScope&) = delete;

 private:
  friend void check_work();
  friend void count_rounds(int64_t rounds);
  friend class WorkBytes;
  void check();
  WorkLimits limits_;
  WorkScope* outer_;
  int64_t rounds_ = 0;
  bool stopped_ = false;
  std::shared_ptr<std::atomic<int64_t>> bytes_;
};

// Throws Error(kInvalidState) when the work of this thread is to end. Whoever catches Errors and goes on asks again, lest this one be lost.
void check_work();
void count_rounds(int64_t rounds);  // the same, after so many rounds of a loop

// For loops of short rounds: asks once in a while.
inline void poll_work() {
  constexpr uint32_t kOften = 4096;
  thread_local uint32_t rounds = 0;
  if (++rounds % kOften == 0) count_rounds(kOften);
}

// Counts the bytes of an allocation as long as it lives. Throws kOutOfMemory when they are too many.
class WorkBytes {
 public:
  explicit WorkBytes(int64_t bytes);
  WorkBytes(WorkBytes&&) noexcept = default;
  WorkBytes& operator=(WorkBytes&&) = delete;
  ~WorkBytes();

 private:
  std::shared_ptr<std::atomic<int64_t>> total_;
  int64_t bytes_;
};

}  // namespace kiln
