// Steps that run one after another, timed together.
#include "tuner/chain.h"

#include <algorithm>

#include "base/work.h"
#include "tuner/tuner.h"

namespace kiln {
namespace {

constexpr double kReplayMilliseconds = 0.3;
constexpr int kMostTurns = 24;
constexpr int kRuns = 24;  // replays of each chain

}  // namespace

Chain::Chain(std::vector<const PlacedStep*> steps, Device& device)
    : steps_(std::move(steps)),
      stream_(device.create_stream()),
      start_(device.create_event()),
      stop_(device.create_event()) {
  const auto once = [&] { throw_if_error(queue(0)); };
  once();
  const double milliseconds = std::max(milliseconds_between(*start_, *stop_, *stream_, once), 1e-4);
  turns_ = static_cast<int>(std::clamp<double>(kReplayMilliseconds / milliseconds, 2, kMostTurns));
  graph_ = captured(*stream_, turns_, steps_.size(), [&](int turn) { return queue(turn); });
}

Status Chain::queue(int turn) {
  for (const PlacedStep* step : steps_) KILN_RETURN_IF_ERROR(step->launch(*stream_, turn));
  return kOkStatus;
}

double Chain::run() {
  return milliseconds_between(*start_, *stop_, *stream_, [&] { throw_if_error(graph_->launch(*stream_)); }) / turns_;
}

std::vector<double> compare(std::span<const std::unique_ptr<Chain>> chains) {
  std::vector<std::vector<double>> runs(chains.size());
  for (int i = 0; i < kRuns; ++i) {
    check_work();
    for (size_t k = 0; k < chains.size(); ++k) runs[k].push_back(chains[k]->run());
  }
  std::vector<double> times;
  for (std::vector<double>& list : runs) times.push_back(middle_half(std::move(list)));
  return times;
}

}  // namespace kiln
