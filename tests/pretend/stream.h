// Streams and events whose work runs late, in a thread of their own.
#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "device/device.h"
#include "pretend/races.h"

namespace kiln::pretend {

using Work = std::function<Status()>;

class LateStream;

class LateGraph final : public Graph {
 public:
  explicit LateGraph(std::vector<Work> work) : work_(std::move(work)) {}
  Status launch(Stream& stream) noexcept override;
  size_t size() const noexcept override { return work_.size(); }
  bool update(Graph& newer) noexcept override;

 private:
  std::vector<Work> work_;
};

// What streams note together that wait for each other. Thread-safe for one thread at a time, as a capture is.
class Capture {
 public:
  explicit Capture(const LateStream* origin) : origin_(origin) {}
  using Tail = std::set<size_t>;  // pieces of work that whatever is noted next runs behind
  void note(Work work, Tail& tail);
  // In an order that the notes allow, and that is as far from theirs as can be: what was noted last goes first. Nothing when some of it
  // does not end before `tail`.
  std::optional<std::vector<Work>> in_order(const Tail& tail);
  const LateStream* origin() const { return origin_; }
  bool valid = true, ended = false;

 private:
  struct Node {
    Work work;
    Tail before;
  };
  const LateStream* origin_;
  std::vector<Node> nodes_;
};

class LateStream final : public Stream {
 public:
  LateStream();
  LateStream(const LateStream&) = delete;
  LateStream& operator=(const LateStream&) = delete;
  ~LateStream() override;

  // Queues work, or notes it while the stream captures. What the last piece of work that failed said is given by synchronize. Where races
  // are watched, work that touches what other streams may be using is refused.
  Status submit(Work work, std::span<const Touch> touches = {}) noexcept;
  Status synchronize() noexcept override;
  bool done() noexcept override;
  Status wait(Event& event) noexcept override;
  Status call(void (*function)(void*), void* data) noexcept override;
  void* native() noexcept override { return this; }
  Status begin_capture() noexcept override;
  Status end_capture(std::unique_ptr<Graph>& graph) noexcept override;
  bool capturing() const noexcept override { return capture_ && !capture_->ended; }
  bool capture_valid() const noexcept override { return !capture_ || capture_->valid; }

 private:
  void work();
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> queue_;
  bool busy_ = false, ending_ = false;
  Status failure_;
  friend class LateEvent;
  std::shared_ptr<Capture> capture_;
  Capture::Tail tail_;
  WorkClock clock_;
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
    std::weak_ptr<Capture> capture;  // of its last record; what it notes holds this state
    Capture::Tail tail;
    WorkClock clock;
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
bool is_lost();
int64_t work_count();
int64_t graph_update_count();
void set_refusing_captures(bool value);

}  // namespace kiln::pretend
