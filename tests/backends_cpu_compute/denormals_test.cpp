// Denormal numbers: zero inside products and softmax, untouched outside.
#include "backends/cpu/device/compute/denormals.h"

#include <limits>

#include "backends/cpu/device/compute/gemm.h"
#include "backends/cpu/device/compute/softmax.h"
#include "backends_cpu_compute/testing.h"

namespace kiln::cpu {
namespace {
using namespace testing;

constexpr float kDenormal = std::numeric_limits<float>::denorm_min() * 1000;

TEST(Denormals, TheGuardEnds) {
  volatile float x = kDenormal;
  {
    const DenormalsAreZero fast;
    EXPECT_EQ(x * 1.0f, 0.0f);
  }
  EXPECT_EQ(x * 1.0f, kDenormal);
}

TEST(Denormals, ProductsAndSoftmaxTakeThemForZero) {
  for_each_isa([] {
    const std::vector<float> a(64, kDenormal), b(64, 1), nothing(64, 0);
    std::vector<float> packed(static_cast<size_t>(packed_b_floats(8, 8))), c(64, 1);
    const BlockConfig config;
    pack_b({b.data(), 8, false}, 8, 8, config.panel, packed.data());
    gemm({8, 8, 8, a.data(), 8, c.data(), 8}, packed.data(), {}, config, nullptr);
    EXPECT_EQ(c, nothing);
    const std::vector<float> x = {0, -100, -90};
    std::vector<float> y(3);
    softmax_rows(false, 1, 3, x.data(), 3, y.data(), 3, 1, {}, 1);
    EXPECT_EQ(y, (std::vector<float>{1, 0, 0}));
    volatile float outside = kDenormal;
    EXPECT_EQ(outside * 1.0f, kDenormal);
  });
}

}  // namespace
}  // namespace kiln::cpu
