// Streams and events whose work runs late, in a thread of their own.
#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <thread>

#include "device/device.h"

namespace kiln::pretend {

using Work = std::function<Status()>;

class LateGraph final : public Graph {
 public:
  explicit LateGraph(std::vector<Work> work) : work_(std::move(work)) {}
  Status launch(Stream& stream) noexcept override;
  size_t size() const noexcept override { return work_.size(); }
  bool update(Graph& newer) noexcept override;

 private:
  std::vector<Work> work_;
};

class LateStream final : public Stream {
 public:
  LateStream();
  LateStream(const LateStream&) = delete;
  LateStream& operator=(const LateStream&) = delete;
  ~LateStream() override;

  // Queues work, or notes it while the stream captures. What the last piece of work that failed said is given by synchronize.
  Status submit(Work work) noexcept;
  Status synchronize() noexcept override;
  bool done() noexcept override;
  Status wait(Event& event) noexcept override;
  Status call(void (*function)(void*), void* data) noexcept override;
  void* native() noexcept override { return this; }
  Status begin_capture() noexcept override;
  Status end_capture(std::unique_ptr<Graph>& graph) noexcept override;
  bool capturing() const noexcept override { return capturing_; }
  bool capture_valid() const noexcept override { return valid_; }

 private:
  void work();
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> queue_;
  bool busy_ = false, ending_ = false;
  Status failure_;
  bool capturing_ = false, valid_ = true;
  std::vector<Work> noted_;
  std::thread thread_;
};

class LateEvent final : public Event {
 public:
  explicit LateEvent(bool timing) : timing_(timing) {}
  Status record(Stream& stream) noexcept override;
  Status synchronize() noexcept override;
  bool done() noexcept override;
  double milliseconds_since(Event& earlier) noexcept override;
  void* native() noexcept override { return this; }

 private:
  // Outlives the event while work that speaks of it is queued.
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    int64_t asked = 0, reached = 0;
    std::chrono::steady_clock::time_point at;
  };
  friend class LateStream;
  static void wait_for(State& state, int64_t asked);
  std::shared_ptr<State> state_ = std::make_shared<State>();
  bool timing_;
};

// What the tests set and read.
void set_lost(bool lost);
void set_lost_after(int64_t pieces);
int64_t work_count();

}  // namespace kiln::pretend
