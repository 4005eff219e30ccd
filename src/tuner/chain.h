// Steps that run one after another, timed together.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "tuner/placed_step.h"

namespace kiln {

// A kernel costs its neighbours time that no measurement of it alone shows: it may keep the next from beginning early, or its own
// beginning may not fit beside the end of the one before.
class Chain {
 public:
  // The steps outlive it; their operands are in place. Throws Error when a kernel fails.
  Chain(std::vector<const PlacedStep*> steps, Device& device);
  // Whether the device can replay it: else it has no times.
  bool is_captured() const { return graph_ != nullptr; }
  // Milliseconds of the whole chain; several turns of it are replayed.
  double run();

 private:
  Status queue(int turn);

  std::vector<const PlacedStep*> steps_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Event> start_, stop_;
  std::unique_ptr<Graph> graph_;
  int turns_ = 1;
};

// Milliseconds of each, measured in turns so that all meet the same conditions. All are captured.
std::vector<double> compare(std::span<const std::unique_ptr<Chain>> chains);

}  // namespace kiln
