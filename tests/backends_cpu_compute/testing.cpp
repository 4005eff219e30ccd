// Helpers of the kernel tests.
#include "backends_cpu_compute/testing.h"

// clang-format off: the choice of instruction sets stands before Highway's headers.
#include "backends/cpu/device/compute/hwy_targets.h"
#include <hwy/targets.h>
// clang-format on

namespace kiln::cpu::testing {

void for_each_isa(const std::function<void()>& body) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    body();
  }
  hwy::SetSupportedTargetsForTest(0);
}

std::vector<float> random_floats(int64_t count, uint32_t seed, float low, float high) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> distribution(low, high);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = distribution(generator);
  return values;
}

void expect_close(const std::vector<float>& actual, const std::vector<float>& expected, double relative,
                  double absolute, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  int wrong = 0;
  for (size_t i = 0; i < actual.size() && wrong < 3; ++i) {
    if (close(actual[i], expected[i], relative, absolute)) continue;
    ++wrong;
    ADD_FAILURE() << what << " at " << i << ": " << actual[i] << ", expected " << expected[i];
  }
}

}  // namespace kiln::cpu::testing
