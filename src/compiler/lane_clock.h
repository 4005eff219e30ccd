// A finished engine with its lanes and without, by the clock.
#pragma once
#include <optional>

#include "plan/plan.h"
#include "tuner/tuner.h"

namespace kiln {

// Milliseconds of an inference.
struct LaneTimes {
  double lanes = 0, serial = 0;  // replayed, where the engine can be captured
  double queued_lanes = 0, queued_serial = 0;
};

// At the optimum of the first profile, on the plan's device, which is there. Nothing where inputs are no tensors of known size. Throws
// Error when the engine does not run, or memory is short.
std::optional<LaneTimes> time_lanes(const plan::Plan& plan);

// Where what was expected of its lanes shows, by times of the cache or by the clock: replayed, and queued step by step, which keeps the host
// busier. Where the device is not there, and where nothing is to be measured, what was expected is believed. `is_spent`: there is no time left
// to measure.
enum class LaneUse { kNever, kInCaptures, kAlways };
LaneUse use_of_lanes(const plan::Plan& plan, const TunerOptions& options, bool is_spent);

}  // namespace kiln
