// The pool of threads behind run_parts.
#include "backends/cpu/device/compute/parallel.h"

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <system_error>
#include <thread>

#include "backends/cpu/device/compute/pieces.h"
#include "backends/cpu/device/compute/thread_limit.h"
#include "base/work.h"

namespace kiln::cpu {
namespace {

constexpr int kJobs = 32;  // calls of run_parts at once; more run alone
constexpr int kMaxParts = 0xffff;
constexpr int kAnyNumber = 1 << 30;                         // of threads
constexpr auto kIdleSpin = std::chrono::microseconds(100);  // before an idle thread sleeps
constexpr int kPauses = 32;                                 // between looks at the clock
constexpr int kPatience = 4000;  // looks at unfinished parts before the core is offered to others

thread_local int most_threads = 0;

void pause() noexcept { __builtin_ia32_pause(); }

// One call of run_parts. A part is claimed by advancing `next` inside `state`; only then are the other fields read, which
// the call's owner changes only when all parts are done.
class alignas(64) Job {
 public:
  bool acquire() noexcept { return !taken_.test_and_set(std::memory_order_acquire); }
  void release() noexcept { taken_.clear(std::memory_order_release); }

  // Part 0 belongs to the owner.
  void open(int parts, PartFunction function, void* context, int helpers) noexcept {
    function_ = function;
    context_ = context;
    work_ = current_work();
    places_.store(helpers, std::memory_order_relaxed);
    done_.store(1, std::memory_order_relaxed);
    const uint64_t epoch = (state_.load(std::memory_order_relaxed) >> 32) + 1;
    state_.store(epoch << 32 | uint64_t{1} << 16 | static_cast<uint64_t>(parts), std::memory_order_release);
  }

  // Computes parts until none is left to begin; whether there was one.
  bool help() noexcept {
    bool helped = false;
    uint64_t s = state_.load(std::memory_order_acquire);
    while ((s >> 16 & kMaxParts) < (s & kMaxParts)) {
      if (!state_.compare_exchange_weak(s, s + (uint64_t{1} << 16), std::memory_order_acquire)) continue;
      {
        const LentWork lent(work_);
        function_(context_, static_cast<int>(s >> 16 & kMaxParts));
      }
      done_.fetch_add(1, std::memory_order_release);
      helped = true;
      s = state_.load(std::memory_order_acquire);
    }
    return helped;
  }

  // The same by a thread of the pool, unless as many as may help do so.
  bool join() noexcept {
    const uint64_t s = state_.load(std::memory_order_acquire);
    if ((s >> 16 & kMaxParts) >= (s & kMaxParts)) return false;
    const int places = places_.load(std::memory_order_relaxed);
    if (places != kAnyNumber && (places <= 0 || places_.fetch_sub(1, std::memory_order_relaxed) <= 0)) return false;
    return help();
  }

  void wait(int parts) const noexcept {
    for (int looks = 0; done_.load(std::memory_order_acquire) < parts; ++looks) {
      if (looks < kPatience) pause();
      else sched_yield();
    }
  }

 private:
  std::atomic<uint64_t> state_{0};  // epoch << 32 | next << 16 | parts
  std::atomic<int> done_{0};
  std::atomic<int> places_{0};
  std::atomic_flag taken_ = ATOMIC_FLAG_INIT;
  PartFunction function_ = nullptr;
  void* context_ = nullptr;
  Work work_;
};

class Pool {
 public:
  // Returns when all threads are ready, so that none of them allocates beside inferences.
  explicit Pool(int workers) {
    int started = 0;
    for (; started < workers; ++started) {
      try {
        std::thread thread([this] { work(); });
        pthread_setname_np(thread.native_handle(), "kiln-worker");
        thread.detach();
      } catch (const std::system_error&) {
        break;  // the caller computes what is not taken
      }
    }
    for (int ready = ready_.load(); ready < started; ready = ready_.load()) ready_.wait(ready);
  }

  void run(int parts, PartFunction function, void* context, int most) noexcept {
    Job* job = most == 1 ? nullptr : acquire();
    if (!job || parts > kMaxParts) {
      for (int part = 0; part < parts; ++part) function(context, part);
    } else {
      job->open(parts, function, context, most > 0 ? most - 1 : kAnyNumber);
      published_.fetch_add(1);
      if (sleepers_.load() > 0) published_.notify_all();
      function(context, 0);
      job->help();
      job->wait(parts);
    }
    if (job) job->release();
  }

 private:
  Job* acquire() noexcept {
    for (Job& job : jobs_)
      if (job.acquire()) return &job;
    return nullptr;
  }

  // The loader allocates a thread's variables of a library when the thread first meets one of them.
  static void make_variables() noexcept {
    const LentWork of_runtime{Work()};
    most_threads = 0;
  }

  void work() noexcept {
    make_variables();
    ready_.fetch_add(1);
    ready_.notify_one();
    while (true) {
      const uint32_t seen = published_.load();
      bool helped = false;
      for (Job& job : jobs_) helped = job.join() || helped;
      if (helped || spin(seen)) continue;
      sleepers_.fetch_add(1);
      published_.wait(seen);
      sleepers_.fetch_sub(1);
    }
  }

  // Whether something was published since `seen`, after some time at most.
  bool spin(uint32_t seen) const noexcept {
    const auto end = std::chrono::steady_clock::now() + kIdleSpin;
    do {
      for (int i = 0; i < kPauses; ++i) {
        if (published_.load(std::memory_order_acquire) != seen) return true;
        pause();
      }
    } while (std::chrono::steady_clock::now() < end);
    return false;
  }

  Job jobs_[kJobs];
  alignas(64) std::atomic<uint32_t> published_{0};
  alignas(64) std::atomic<int> sleepers_{0};
  std::atomic<int> ready_{0};
};

int count_threads() noexcept {
  if (const char* text = std::getenv("OMP_NUM_THREADS")) {
    const int count = std::atoi(text);
    if (count > 0) return std::min(count, kMaxParts);
  }
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(CPU_COUNT(&set), 1);
  return std::max(static_cast<int>(std::thread::hardware_concurrency()), 1);
}

}  // namespace

int thread_count() noexcept {
  static const int count = count_threads();
  return count;
}

void limit_threads(int most) noexcept { most_threads = most; }

bool work_ended() noexcept { return current_work().ended(); }

void run_parts(int parts, PartFunction function, void* context) noexcept {
  static Pool& pool = *new Pool(thread_count() - 1);  // its threads live until the process ends
  pool.run(parts, function, context, most_threads);
}

}  // namespace kiln::cpu
