// How far a build or a calibration is: a bar on a terminal, else a line now and then; and Ctrl-C, which ends it in order.
#pragma once
#include <chrono>
#include <functional>
#include <string>

#include "kiln/kiln.h"

namespace kiln::tool {

inline constexpr int kInterrupted = 130;  // exit code, as shells give it after Ctrl-C

// What ends programs in order: Ctrl-C, the end that other programs ask for, and a closed terminal. While it lives `handler` hears of them, but
// of those that are ignored, as shells ask of programs in the background.
class EndingSignals {
 public:
  explicit EndingSignals(void (*handler)(int));
  ~EndingSignals();
  EndingSignals(const EndingSignals&) = delete;
  EndingSignals& operator=(const EndingSignals&) = delete;

 private:
  void (*before_[3])(int);
};

// Says what Ctrl-C ended, and ends the program with that code.
[[noreturn]] void end_interrupted(const std::string& what);

// What is counted: on the bar, and in a line with the numbers done and in all.
struct Counted {
  const char* bar = "tuning";
  const char* line = "tactics chosen for {} of {} problems";
};

// One at a time. While it lives, the first Ctrl-C, or other ending signal, is noted, and a second one ends the program as usual.
class Progress {
 public:
  // `budget_s`: seconds of measuring at most, shown; 0: no limit.
  Progress(bool quiet, double budget_s, Counted counted = {});
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  // `done` of `total` are done, `next` comes next. False: stop.
  bool step(size_t done, size_t total, const std::string& next);
  bool interrupted() const;

 private:
  using Clock = std::chrono::steady_clock;
  void draw(size_t done, size_t total, const std::string& next);
  void tell(size_t done, size_t total);
  std::string times(size_t done, size_t total) const;

  bool quiet_;
  double budget_s_;
  Counted counted_;
  Clock::time_point start_ = Clock::now(), told_ = start_;
  size_t quarter_ = 0;
  EndingSignals signals_;
};

// While it lives, the first Ctrl-C stops the session's inference, and a second one ends the program as usual. One at a time.
class StopOnInterrupt {
 public:
  explicit StopOnInterrupt(api::Session& session);
  ~StopOnInterrupt();
  StopOnInterrupt(const StopOnInterrupt&) = delete;
  StopOnInterrupt& operator=(const StopOnInterrupt&) = delete;
  // Runs the inference; one that was interrupted ends the program with kInterrupted.
  void guard(const std::function<void()>& inference) const;

 private:
  EndingSignals signals_;
};

}  // namespace kiln::tool
