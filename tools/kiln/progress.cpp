// The progress of a build or a calibration.
#include "progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <iterator>

#include "command.h"

namespace kiln::tool {
namespace {

constexpr auto kSilence = std::chrono::seconds(30);  // at most, without a terminal
constexpr size_t kWidestBar = 30;

volatile std::sig_atomic_t interrupts = 0;

void note_interrupt(int number) {
  interrupts = interrupts + 1;
  std::signal(number, SIG_DFL);
}

size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

// At most `width` characters; a character of several bytes is not cut.
std::string shortened(const std::string& text, size_t width) {
  size_t end = 0, characters = 0;
  while (end < text.size() && (characters < width || (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)) {
    if ((static_cast<unsigned char>(text[end]) & 0xC0) != 0x80) ++characters;
    ++end;
  }
  return text.substr(0, end);
}

std::string clock_text(double seconds) {
  const auto s = static_cast<int64_t>(std::clamp(seconds, 0.0, 1e9));
  return s < 60 ? fmt::format("{} s", s) : fmt::format("{}:{:02} min", s / 60, s % 60);
}

}  // namespace

static constexpr int kEnding[] = {SIGINT, SIGTERM, SIGHUP};

EndingSignals::EndingSignals(void (*handler)(int)) {
  interrupts = 0;
  for (size_t i = 0; i < std::size(kEnding); ++i) {
    before_[i] = std::signal(kEnding[i], handler);
    if (before_[i] == SIG_IGN) std::signal(kEnding[i], SIG_IGN);
  }
}

EndingSignals::~EndingSignals() {
  for (size_t i = 0; i < std::size(kEnding); ++i)
    if (before_[i] != SIG_ERR) std::signal(kEnding[i], before_[i]);
}

Progress::Progress(bool quiet, double budget_s, Counted counted)
    : quiet_(quiet), budget_s_(budget_s), counted_(counted), signals_(note_interrupt) {}

Progress::~Progress() = default;

bool Progress::interrupted() const { return interrupts > 0; }

void end_interrupted(const std::string& what) {
  log(api::Level::kError, "error[K1002] " + what);
  throw Exit{kInterrupted};
}

namespace {

std::atomic<api::Session*> running = nullptr;

void stop_running(int number) {
  note_interrupt(number);
  if (api::Session* session = running.load()) session->stop();
}

}  // namespace

// The session is known before the signals are heard.
StopOnInterrupt::StopOnInterrupt(api::Session& session) : signals_((running = &session, stop_running)) {}

StopOnInterrupt::~StopOnInterrupt() { running = nullptr; }

void StopOnInterrupt::guard(const std::function<void()>& inference) const {
  try {
    inference();
  } catch (const api::Failure&) {
    if (interrupts == 0) throw;
    end_interrupted("the inference was interrupted");
  }
}

std::string Progress::times(size_t done, size_t total) const {
  const double elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
  std::string text = clock_text(elapsed);
  if (budget_s_ > 0) text += " of at most " + clock_text(budget_s_);
  if (done > 0 && done < total)
    text += ", " + clock_text(elapsed / static_cast<double>(done) * static_cast<double>(total - done)) + " left";
  return text;
}

void Progress::draw(size_t done, size_t total, const std::string& next) {
  if (done == total) {
    std::fputs("\r\033[K", stderr);
    return;
  }
  const size_t width = terminal_width() - 1, bar = std::min(kWidestBar, width / 3), filled = done * bar / total;
  const std::string line =
      fmt::format("[{}{}] {}/{} {}, {}: {}", std::string(filled, '#'), std::string(bar - filled, '.'), done, total,
                  counted_.bar, times(done, total), next);
  std::fputs(("\r" + shortened(line, width) + "\033[K").c_str(), stderr);
}

void Progress::tell(size_t done, size_t total) {
  const size_t quarter = total ? 4 * done / total : 4;
  if (quarter <= quarter_ && Clock::now() - told_ < kSilence) return;
  quarter_ = quarter;
  told_ = Clock::now();
  const std::string so_far = done < total ? " (" + times(done, total) + ")" : "";
  std::fputs((fmt::format(fmt::runtime(counted_.line), done, total) + so_far + "\n").c_str(), stderr);
}

bool Progress::step(size_t done, size_t total, const std::string& next) {
  if (!quiet_) {
    if (isatty(STDERR_FILENO)) draw(done, total, next);
    else tell(done, total);
  }
  return !interrupted();
}

}  // namespace kiln::tool
