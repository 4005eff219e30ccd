// On which device of its back end an engine runs.
#include "base/error.h"
#include "compiler/engine_testing.h"
#include "device/choice.h"
#include "pretend/pretend.h"

namespace kiln::testing {
namespace {

constexpr const char* kDeviceGraph = R"(graph main(%x: float32[3,4]) {
  %w = random float32[4,5] seed 1
  %m = MatMul(%x, %w)
  %y = Relu(%m)
  return %y
})";

// The name "pretend" stands for device 0 again at the end.
class Devices : public ::testing::Test {
 protected:
  void SetUp() override { pretend::register_pretend(); }
  void TearDown() override { choose_ordinal("pretend", 0); }

  void expect_on(const Device& device, const LoadOptions& options) {
    const auto engine = Engine::from_plan(plan_, options);
    EXPECT_EQ(&engine->device(), &device);
    const Tensor x = random_f32({3, 4}, 2);
    expect_close(run(*engine->create_context(), {x})[0], reference(kDeviceGraph, {x})[0], "");
  }
  plan::Plan plan_ = [] {
    pretend::register_pretend();
    return build(kDeviceGraph, options_of("pretend", 0));
  }();
};

TEST_F(Devices, TheOneThatIsGivenWhereItIsOfTheEnginesBackEnd) {
  Device &first = open_device("pretend:0"), &second = open_device("pretend:1");
  expect_on(first, {});
  expect_on(first, {.device = &first});
  expect_on(second, {.device = &second});
  expect_on(first, {.device = &open_device("cpu")});
}

TEST_F(Devices, TheOneThatTheNameStandsFor) {
  Device &first = open_device("pretend:0"), &second = open_device("pretend:1");
  const auto earlier = Engine::from_plan(plan_);
  choose_ordinal("pretend", 1);
  EXPECT_EQ(&open_device("pretend"), &second);
  EXPECT_EQ(&earlier->device(), &first);
  expect_on(second, {});
  expect_on(first, {.device = &first});
  const auto tuned = Engine::from_plan(build(kDeviceGraph, options_of("pretend", 3)));
  EXPECT_EQ(&tuned->device(), &second);
  EXPECT_THROW(choose_ordinal("pretend", pretend::kDevices), Error);
  EXPECT_THROW(choose_ordinal("pretend", -1), Error);
  EXPECT_THROW(choose_ordinal("cpu", 1), Error);
  EXPECT_EQ(&open_device("pretend"), &second);
}

}  // namespace
}  // namespace kiln::testing
