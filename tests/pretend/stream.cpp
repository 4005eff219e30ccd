// Streams and events whose work runs late.
#include "pretend/stream.h"

#include <algorithm>
#include <atomic>

namespace kiln::pretend {
namespace {

constexpr auto kLate = std::chrono::microseconds(50);
std::atomic<bool> lost{false};
std::atomic<int64_t> pieces_left{-1};  // until it is lost; negative: no end
std::atomic<int64_t> done_count{0}, update_count{0};
std::atomic<bool> refuses_captures{false};

constexpr Status kLost{Code::kExecution, "the pretend device is lost"};

// Of what the host has waited for.
WorkClock& host_clock() {
  static WorkClock clock;
  return clock;
}

}  // namespace

void set_lost(bool value) {
  pieces_left = -1;
  lost = value;
}
void set_lost_after(int64_t pieces) { pieces_left = pieces; }
bool is_lost() { return lost; }
int64_t work_count() { return done_count; }
int64_t graph_update_count() { return update_count; }
void set_refusing_captures(bool value) { refuses_captures = value; }

Status LateGraph::launch(Stream& stream) noexcept {
  for (const Work& work : work_) KILN_RETURN_IF_ERROR(static_cast<LateStream&>(stream).submit(work));
  return kOkStatus;
}

bool LateGraph::update(Graph& newer) noexcept {
  auto& other = static_cast<LateGraph&>(newer);
  if (other.work_.size() != work_.size()) return false;
  work_.swap(other.work_);
  ++update_count;
  return true;
}

void Capture::note(Work work, Tail& tail) {
  nodes_.push_back({std::move(work), tail});
  tail = {nodes_.size() - 1};
}

std::optional<std::vector<Work>> Capture::in_order(const Tail& tail) {
  std::vector<bool> reached(nodes_.size(), false), done(nodes_.size(), false);
  for (size_t i : tail) reached[i] = true;
  for (size_t i = nodes_.size(); i-- > 0;) {
    if (!reached[i]) return std::nullopt;
    for (size_t before : nodes_[i].before) reached[before] = true;
  }
  std::vector<Work> list;
  while (list.size() < nodes_.size())
    for (size_t i = nodes_.size(); i-- > 0;) {
      const Tail& before = nodes_[i].before;
      if (done[i] || !std::all_of(before.begin(), before.end(), [&](size_t k) { return done[k]; })) continue;
      done[i] = true;
      list.push_back(std::move(nodes_[i].work));
      break;
    }
  return list;
}

LateStream::LateStream() : thread_([this] { work(); }) {}

LateStream::~LateStream() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void LateStream::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Work next = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    lock.unlock();
    std::this_thread::sleep_for(kLate);
    if (pieces_left >= 0 && pieces_left-- == 0) lost = true;
    const Status status = lost ? kLost : next();
    next = nullptr;  // what it holds may go before anybody hears that it is done
    ++done_count;
    lock.lock();
    busy_ = false;
    if (!status.ok()) failure_ = status;
    changed_.notify_all();
  }
}

Status LateStream::submit(Work work, std::span<const Touch> touches) noexcept {
  if (lost) return kLost;
  const std::lock_guard lock(mutex_);
  try {
    if (is_watching()) {
      merge(clock_, host_clock());
      if (!may_run(this, clock_, touches)) return {Code::kExecution, "two streams use the same bytes at one time"};
      ++clock_[this];
    }
    if (capturing()) capture_->note(std::move(work), tail_);
    else queue_.push_back(std::move(work));
  } catch (const std::bad_alloc&) {
    return {Code::kOutOfMemory, "no memory to queue work"};
  }
  changed_.notify_all();
  return kOkStatus;
}

Status LateStream::synchronize() noexcept {
  if (capturing()) {
    capture_->valid = false;
    return {Code::kInvalidState, "a stream that captures cannot be waited for"};
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return queue_.empty() && !busy_; });
  if (is_watching()) merge(host_clock(), clock_);
  return std::exchange(failure_, kOkStatus);
}

bool LateStream::done() noexcept {
  if (capturing()) capture_->valid = false;
  const std::lock_guard lock(mutex_);
  return queue_.empty() && !busy_;
}

Status LateStream::wait(Event& event) noexcept {
  auto state = static_cast<LateEvent&>(event).state_;
  int64_t asked = 0;
  {
    const std::lock_guard lock(state->mutex);
    asked = state->asked;
  }
  if (is_watching()) merge(clock_, state->clock);
  if (auto capture = state->capture.lock(); capture && !capture->ended) {  // this stream notes with those that note
    if (capturing() && capture_ != capture) return {Code::kInvalidState, "two captures cannot meet"};
    if (!capturing()) tail_.clear();
    capture_ = std::move(capture);
    tail_.insert(state->tail.begin(), state->tail.end());
    return kOkStatus;
  }
  return submit([state, asked] {
    LateEvent::wait_for(*state, asked);
    return kOkStatus;
  });
}

Status LateStream::call(void (*function)(void*), void* data) noexcept {
  return submit([function, data] {
    function(data);
    return kOkStatus;
  });
}

Status LateStream::begin_capture() noexcept {
  if (capturing()) return {Code::kInvalidState, "the stream captures already"};
  capture_ = std::make_shared<Capture>(this);
  tail_.clear();
  return kOkStatus;
}

Status LateStream::end_capture(std::unique_ptr<Graph>& graph) noexcept {
  graph.reset();
  if (!capturing() || capture_->origin() != this) return {Code::kInvalidState, "the stream does not capture"};
  const auto capture = std::move(capture_);
  capture->ended = true;
  if (!capture->valid || refuses_captures) return {Code::kInvalidState, "something in the capture could not be noted"};
  auto work = capture->in_order(tail_);
  if (!work) return {Code::kInvalidState, "another stream noted work that this one does not wait for"};
  graph = std::make_unique<LateGraph>(std::move(*work));
  return kOkStatus;
}

Status LateEvent::record(Stream& stream) noexcept {
  int64_t asked = 0;
  {
    const std::lock_guard lock(state_->mutex);
    asked = ++state_->asked;
  }
  auto& late = static_cast<LateStream&>(stream);
  const Status status = late.submit([state = state_, asked] {
    const std::lock_guard lock(state->mutex);
    state->reached = std::max(state->reached, asked);
    state->at = std::chrono::steady_clock::now();
    state->changed.notify_all();
    return kOkStatus;
  });
  const std::lock_guard lock(state_->mutex);
  state_->capture = late.capturing() ? late.capture_ : nullptr;
  state_->tail = late.tail_;
  state_->clock = late.clock_;
  return status;
}

void LateEvent::wait_for(State& state, int64_t asked) {
  std::unique_lock lock(state.mutex);
  state.changed.wait(lock, [&] { return state.reached >= asked || lost; });
}

Status LateEvent::synchronize() noexcept {
  int64_t asked = 0;
  {
    const std::lock_guard lock(state_->mutex);
    asked = state_->asked;
  }
  wait_for(*state_, asked);
  if (is_watching()) merge(host_clock(), state_->clock);
  return lost ? kLost : kOkStatus;
}

bool LateEvent::done() noexcept {
  const std::lock_guard lock(state_->mutex);
  return state_->reached >= state_->asked;
}

double LateEvent::milliseconds_since(Event& earlier) noexcept {
  auto& from = static_cast<LateEvent&>(earlier);
  if (!timing_ || !from.timing_ || state_->asked == 0 || from.state_->asked == 0) return -1;
  if (!synchronize().ok() || !from.synchronize().ok()) return -1;
  return std::chrono::duration<double, std::milli>(state_->at - from.state_->at).count();
}

}  // namespace kiln::pretend
