// How far a build is: a bar on a terminal, else a line now and then; and Ctrl-C, which ends it in order.
#pragma once
#include <chrono>
#include <functional>
#include <string>

#include "kiln/kiln.h"

namespace kiln::tool {

inline constexpr int kInterrupted = 130;  // exit code, as shells give it after Ctrl-C

// One at a time. While it lives, the first Ctrl-C is noted and a second one ends the program as usual.
class Progress {
 public:
  // `budget_s`: seconds of measuring at most, shown; 0: no limit.
  Progress(bool quiet, double budget_s);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  // `done` of `total` layers have a tactic, `layer` comes next. False: stop.
  bool step(size_t done, size_t total, const std::string& layer);
  bool interrupted() const;

 private:
  using Clock = std::chrono::steady_clock;
  void draw(size_t done, size_t total, const std::string& layer);
  void tell(size_t done, size_t total);
  std::string times(size_t done, size_t total) const;

  bool quiet_;
  double budget_s_;
  Clock::time_point start_ = Clock::now(), told_ = start_;
  size_t quarter_ = 0;
  void (*before_)(int);
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
  void (*before_)(int);
};

}  // namespace kiln::tool
