// Steps that are timed one after another.
#include "tuner/chain.h"

#include <gtest/gtest.h>

#include "tuner/pretend_step.h"

namespace kiln {
namespace {

TEST(Chain, IsReplayedAndTimed) {
  const PretendStep s;
  const auto stream = s.device().create_stream();
  const PlacedStep step(s.problem(), s.emitted, s.device(), *stream);
  throw_if_error(stream->synchronize());
  std::vector<std::unique_ptr<Chain>> chains;
  for (size_t links : {1, 3}) {
    chains.push_back(std::make_unique<Chain>(std::vector<const PlacedStep*>(links, &step), s.device()));
    ASSERT_TRUE(chains.back()->is_captured());
  }
  const std::vector<double> times = compare(chains);
  ASSERT_EQ(times.size(), 2u);
  for (double milliseconds : times) EXPECT_GT(milliseconds, 0);
}

TEST(Chain, OfAHostThatCapturesNothingHasNoTimes) {
  const PretendStep s;
  Device& host = open_device("ref");
  const auto stream = host.create_stream();
  const PlacedStep step(s.problem(), emit_reference(s.problem()), host, *stream);
  EXPECT_FALSE(Chain({&step}, host).is_captured());
}

}  // namespace
}  // namespace kiln
