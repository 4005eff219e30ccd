// Steps that run side by side: which stream each step of a program runs in, and what it waits for.
#pragma once
#include <vector>

#include "compiler/place.h"
#include "tuner/tuner.h"

namespace kiln {

struct LaneOptions {
  uint32_t most = 1;      // lanes
  double edge = 0;        // milliseconds that a step loses which waits for another lane
  double least_gain = 0;  // a share of the whole: where less is gained, all steps run one after another
};

// What the user allows and the device is good for. `aux_streams`: see CompileOptions; a number that the user gave is taken for granted. Without
// one, and without times, nothing is known to pay.
LaneOptions lane_options(const Device& device, const plan::Plan& plan, int aux_streams, const TunerOptions& tuner);

// Gives independent steps of the main program lanes where that saves time by what is known of each alone (StepDetail): as many run at a
// time as do not take more than the device. Before its memory is planned.
void assign_lanes(plan::Program& program, const std::vector<StepDetail>& details,
                  const std::map<int32_t, int32_t>& shares, const plan::Plan& plan, const LaneOptions& options);

// All steps one after another again.
void clear_lanes(plan::Program& program);

}  // namespace kiln
