// Kernels by other instruction sets than the best that the processor has.
#include "backends/instruction_sets.h"

#include <gtest/gtest.h>

// clang-format off: the choice of instruction sets stands before Highway's headers.
#include "backends/cpu/device/compute/hwy_byte_targets.h"
#include <hwy/targets.h>
// clang-format on

#include <algorithm>

#include "backends/cpu/device/compute/processor.h"

namespace kiln::testing {

void for_each_lesser_set(const std::function<void()>& body) {
  const auto sets = hwy::SupportedAndGeneratedTargets();
  const int64_t best = *std::min_element(sets.begin(), sets.end());  // better ones have smaller numbers
  const bool adds_four = cpu::adds_four_products();
  cpu::pretend_adding_four(false);  // so that AVX2 is less than itself with AVX-VNNI
  for (const int64_t set : sets) {
    if (set == best && !(set == HWY_AVX2 && adds_four)) continue;
    SCOPED_TRACE(hwy::TargetName(set));
    hwy::SetSupportedTargetsForTest(set);
    body();
  }
  hwy::SetSupportedTargetsForTest(0);
  cpu::pretend_adding_four(std::nullopt);
}

}  // namespace kiln::testing
