// Kernels by other instruction sets than the best that the processor has.
#include "backends/instruction_sets.h"

#include <gtest/gtest.h>

// clang-format off: the choice of instruction sets stands before Highway's headers.
#include "backends/cpu/device/compute/hwy_byte_targets.h"
#include <hwy/targets.h>
// clang-format on

#include <algorithm>

namespace kiln::testing {

void for_each_lesser_set(const std::function<void()>& body) {
  const auto sets = hwy::SupportedAndGeneratedTargets();
  for (const int64_t set : sets) {
    if (set == *std::min_element(sets.begin(), sets.end())) continue;  // better ones have smaller numbers
    SCOPED_TRACE(hwy::TargetName(set));
    hwy::SetSupportedTargetsForTest(set);
    body();
  }
  hwy::SetSupportedTargetsForTest(0);
}

}  // namespace kiln::testing
