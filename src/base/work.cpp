// Who asks whether long work is to end, and the answer.
#include "base/work.h"

#include <sys/sysinfo.h>

#include <string>

#include "base/error.h"

namespace kiln {
namespace {

thread_local WorkScope* innermost = nullptr;

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

void WorkScope::check() {
  stopped_ = stopped_ || (limits_.stop && limits_.stop->load(std::memory_order_relaxed)) ||
             (limits_.stopped && limits_.stopped());
  if (stopped_) throw Error(Code::kInvalidState, std::string(limits_.name) + " was stopped");
  if (limits_.deadline != WorkLimits::Clock::time_point::max() && WorkLimits::Clock::now() > limits_.deadline)
    throw Error(Code::kInvalidState, std::string(limits_.name) + " took longer than " + number(limits_.seconds) + " s")
        .remedy("raise the limit of time, or look for what the network does so long");
  if (rounds_ > limits_.most_rounds) throw Error(Code::kInvalidState, std::string(limits_.name) + " is too much work");
}

void check_work() { count_rounds(0); }

void count_rounds(int64_t rounds) {
  for (WorkScope* scope = innermost; scope; scope = scope->outer_) {
    scope->rounds_ += rounds;
    scope->check();
  }
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
