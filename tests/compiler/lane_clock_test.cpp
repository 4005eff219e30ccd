// Whether lanes are faster, by the clock and by what a timing cache knows of it.
#include "compiler/lane_clock.h"

#include "compiler/engine_testing.h"
#include "plan/lanes.h"

namespace kiln::testing {
namespace {

constexpr const char* kTwoWays = R"(graph main(%x: float32[4,16,12]) {
  %w = random float32[12,12] seed 1
  %a = MatMul(%x, %w)
  %b0 = Softmax(%a)
  %b1 = MatMul(%b0, %w)
  %c0 = Tanh(%a)
  %c1 = MatMul(%c0, %w)
  %y = Concat(%b1, %c1) {axis=1}
  %z = Softmax(%y)
  return %z
})";

plan::Plan with_lanes() {
  pretend::register_pretend();
  CompileOptions options = options_of("pretend", 0);
  options.max_aux_streams = 2;
  plan::Plan plan = build(kTwoWays, options);
  EXPECT_GT(plan::lane_count(plan.programs[0].steps), 1u);
  return plan;
}

TEST(LaneClock, TimesBothWays) {
  const auto times = time_lanes(with_lanes());
  ASSERT_TRUE(times);
  for (double milliseconds : {times->lanes, times->serial, times->queued_lanes, times->queued_serial})
    EXPECT_GT(milliseconds, 0);
}

TEST(LaneClock, WithoutTimeNoneAndWhereNothingIsToBeMeasuredWhatWasExpected) {
  TunerOptions options;
  EXPECT_EQ(use_of_lanes(with_lanes(), options, /*is_spent=*/true), LaneUse::kNever);
  options.cache_only = true;
  EXPECT_EQ(use_of_lanes(with_lanes(), options, /*is_spent=*/false), LaneUse::kAlways);
}

// The clock decides; the cache knows what it said.
TEST(LaneClock, MeasuredOnceAndKnownThen) {
  pretend::register_pretend();
  CompileOptions options = options_of("pretend", 2);
  TimingCache cache(open_device("pretend").fingerprint());
  options.tuner.cache = &cache;
  const plan::Plan first = build(kTwoWays, options);
  const size_t known = cache.size();
  const int64_t work = pretend::work_done();
  options.tuner.cache_only = true;
  const plan::Plan again = build(kTwoWays, options);
  EXPECT_EQ(pretend::work_done(), work);
  EXPECT_EQ(cache.size(), known);
  EXPECT_EQ(plan::write(first), plan::write(again));
}

}  // namespace
}  // namespace kiln::testing
