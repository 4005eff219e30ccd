// Candidates that are known not to work.
#pragma once
#include "tuner/timing_cache.h"

namespace kiln {

// Stands in a timing cache for one that could not be made: compiling it again would take as long, and fail again.
inline constexpr double kCannotBeMade = 1e30;
inline bool cannot_be_made(const Timing& timing) { return timing.milliseconds >= kCannotBeMade; }

}  // namespace kiln
