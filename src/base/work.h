// Long work that ends early: because somebody says so, or because it takes too long or too much memory. What works asks now and then.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <thread>
#include <utility>

namespace kiln {

struct WorkLimits {
  using Clock = std::chrono::steady_clock;
  const char* name = "work";                // "the build", in messages
  const std::atomic<bool>* stop = nullptr;  // true: end
  std::function<bool()> stopped = nullptr;  // the same, asked by the thread that works; what it throws ends the work
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

// The work of a thread, for those who cannot throw and for threads that help. Valid while the thread's limits live.
struct Work {
  void* scope = nullptr;
  bool (*asked)(void* scope) noexcept = nullptr;
  // Whether it is to end: from then on for good. Any thread may ask.
  bool ended() const noexcept { return scope && asked(scope); }
};
Work current_work() noexcept;

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
  friend double seconds_of_work_left() noexcept;
  friend class WorkBytes;
  friend Work current_work() noexcept;
  void check();
  bool is_stopped();
  bool is_late() const noexcept;
  static bool has_ended(void* scope) noexcept;
  WorkLimits limits_;
  WorkScope* outer_;
  std::thread::id thread_ = std::this_thread::get_id();
  int64_t rounds_ = 0;
  std::atomic<bool> stopped_ = false;
  std::shared_ptr<std::atomic<int64_t>> bytes_;
};

// While it lives, this thread helps with the work of another one.
class LentWork {
 public:
  explicit LentWork(Work work) noexcept;
  ~LentWork();
  LentWork(const LentWork&) = delete;
  LentWork& operator=(const LentWork&) = delete;

 private:
  Work outer_;
};

// A program that is linked statically has limits of its own, which the library that brings a device does not see before it is told of them.
using CurrentWork = Work (*)() noexcept;

// Until the first deadline of this thread's work; infinite when it has none.
double seconds_of_work_left() noexcept;

// Throws Error(kInvalidState) when the work of this thread is to end. Whoever catches Errors and goes on asks again, lest this one be lost.
void check_work();
void count_rounds(int64_t rounds);  // the same, after so many rounds of a loop

// For loops of short rounds: asks once in a while, sooner the longer the rounds are. `length`: of this one, in steps of about a nanosecond.
inline void poll_work(int64_t length = 1) {
  constexpr int64_t kOften = 4096, kLong = int64_t{1} << 22;
  thread_local int64_t rounds = 0, steps = 0;
  ++rounds;
  steps += length;
  if (rounds < kOften && steps < kLong) return;
  count_rounds(std::exchange(rounds, 0));
  steps = 0;
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

extern "C" void kiln_adopt_work(kiln::CurrentWork current) noexcept;
