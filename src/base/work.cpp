// Who asks whether long work is to end, and the answer.
#include "base/work.h"

#include <sys/sysinfo.h>

#include <algorithm>
#include <string>

#include "base/error.h"

namespace kiln {
namespace {

thread_local WorkScope* innermost = nullptr;
thread_local Work lent;
std::atomic<CurrentWork> of_program = nullptr;

std::string number(double value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

int64_t machine_bytes() {
  static const int64_t bytes = [] {
    struct sysinfo info {};
    if (::sysinfo(&info) != 0) return int64_t{1} << 40;
    return static_cast<int64_t>(info.totalram + info.totalswap) * static_cast<int64_t>(info.mem_unit);
  }();
  return bytes;
}

WorkLimits::Clock::time_point deadline_after(double seconds) {
  const auto now = WorkLimits::Clock::now();
  const auto most = std::chrono::duration<double>(WorkLimits::Clock::time_point::max() - now).count();
  if (!(seconds < most / 2)) return WorkLimits::Clock::time_point::max();
  return now + std::chrono::duration_cast<WorkLimits::Clock::duration>(std::chrono::duration<double>(seconds));
}

WorkScope::WorkScope(WorkLimits limits) : limits_(std::move(limits)), outer_(innermost) {
  if (limits_.most_bytes != std::numeric_limits<int64_t>::max()) bytes_ = std::make_shared<std::atomic<int64_t>>(0);
  innermost = this;
}

WorkScope::~WorkScope() { innermost = outer_; }

bool WorkScope::is_stopped() {
  if (!stopped_ && ((limits_.stop && limits_.stop->load(std::memory_order_relaxed)) ||
                    (limits_.stopped && std::this_thread::get_id() == thread_ && limits_.stopped())))
    stopped_ = true;
  return stopped_;
}

bool WorkScope::is_late() const noexcept {
  return limits_.deadline != WorkLimits::Clock::time_point::max() && WorkLimits::Clock::now() > limits_.deadline;
}

void WorkScope::check() {
  if (is_stopped()) throw Error(Code::kInvalidState, std::string(limits_.name) + " was stopped");
  if (is_late())
    throw Error(Code::kInvalidState, std::string(limits_.name) + " took longer than " + number(limits_.seconds) + " s")
        .remedy("raise the limit of time, or look for what the network does so long");
  if (rounds_ > limits_.most_rounds) throw Error(Code::kInvalidState, std::string(limits_.name) + " is too much work");
}

bool WorkScope::has_ended(void* scope) noexcept {
  for (auto* each = static_cast<WorkScope*>(scope); each; each = each->outer_) try {
      if (each->is_stopped() || each->is_late()) return true;
    } catch (...) {
      return each->stopped_ = true;
    }
  return false;
}

Work current_work() noexcept {
  if (lent.scope) return lent;
  if (innermost) return {innermost, &WorkScope::has_ended};
  const CurrentWork program = of_program.load(std::memory_order_acquire);
  return program ? program() : Work();
}

LentWork::LentWork(Work work) noexcept : outer_(lent) { lent = work; }
LentWork::~LentWork() { lent = outer_; }

double seconds_of_work_left() noexcept {
  double left = std::numeric_limits<double>::infinity();
  for (const WorkScope* scope = innermost; scope; scope = scope->outer_) {
    const auto deadline = scope->limits_.deadline;
    if (deadline == WorkLimits::Clock::time_point::max()) continue;
    left = std::min(left, std::chrono::duration<double>(deadline - WorkLimits::Clock::now()).count());
  }
  return left;
}

void check_work() { count_rounds(0); }

void count_rounds(int64_t rounds) {
  for (WorkScope* scope = innermost; scope; scope = scope->outer_) {
    scope->rounds_ += rounds;
    scope->check();
  }
  if (!innermost && current_work().ended()) throw Error(Code::kInvalidState, "the work was ended");
}

WorkBytes::WorkBytes(int64_t bytes) : bytes_(bytes) {
  const WorkScope* scope = innermost;
  while (scope && !scope->bytes_) scope = scope->outer_;
  if (!scope) return;
  const int64_t before = scope->bytes_->fetch_add(bytes, std::memory_order_relaxed);
  total_ = scope->bytes_;
  if (before > scope->limits_.most_bytes - bytes) {
    total_->fetch_sub(bytes, std::memory_order_relaxed);
    total_ = nullptr;
    throw Error(Code::kOutOfMemory, std::string(scope->limits_.name) + " wants more than " +
                                        std::to_string(scope->limits_.most_bytes) + " bytes of tensors at once")
        .remedy("raise the limit of memory, or use smaller shapes");
  }
}

WorkBytes::~WorkBytes() {
  if (total_) total_->fetch_sub(bytes_, std::memory_order_relaxed);
}

}  // namespace kiln

void kiln_adopt_work(kiln::CurrentWork current) noexcept {
  if (current != &kiln::current_work) kiln::of_program.store(current, std::memory_order_release);
}
