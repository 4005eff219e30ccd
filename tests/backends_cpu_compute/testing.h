// Helpers of the kernel tests: random data, comparison, and running a test body once per instruction set.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace kiln::cpu::testing {

inline constexpr float kInf = std::numeric_limits<float>::infinity();
inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Calls body for each instruction set that this machine has and the kernels were compiled for.
void for_each_isa(const std::function<void()>& body);

std::vector<float> random_floats(int64_t count, uint32_t seed, float low = -2, float high = 2);

// Equal, both NaN, or |a - b| <= absolute + relative |b|.
inline bool close(double a, double b, double relative, double absolute) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b || std::fabs(a - b) <= absolute + relative * std::fabs(b);
}
void expect_close(const std::vector<float>& actual, const std::vector<float>& expected, double relative,
                  double absolute, const std::string& what = "");

}  // namespace kiln::cpu::testing
