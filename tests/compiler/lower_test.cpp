// Graphs as programs: constants, dimensions and names that the plan shares.
#include "compiler/lower.h"

#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

TEST(Lower, EqualConstantsAreKeptOnce) {
  const char* head =
      "graph main(%x: float32[64,256]) {\n  %w = random float32[256,256] seed 1\n  %v = random float32[256,256] seed ";
  const char* tail = "\n  %a = MatMul(%x, %w)\n  %b = MatMul(%x, %v)\n  %c = Sub(%a, %b)\n  return %c\n}";
  const auto same = build(std::string(head) + "1" + tail, options_of("ref", 0));
  const auto other = build(std::string(head) + "2" + tail, options_of("ref", 0));
  constexpr uint64_t kWeights = 256 * 256 * 4;
  EXPECT_LT(same.constants.size(), 2 * kWeights);
  EXPECT_GE(other.constants.size(), 2 * kWeights);
}

TEST(Lower, EqualDimensionsAreOneProgram) {
  const plan::Plan plan = build(
      "graph main(%x: float32[n,4], %z: float32[n,4]) {\n  %a = Softmax(%x)\n  %b = Softmax(%z)\n  %y = Sub(%a, %b)\n  "
      "return %y\n}",
      options_of("ref", 0, {{{"x", {{1, 4}, {2, 4}, {3, 4}}}, {"z", {{1, 4}, {2, 4}, {3, 4}}}}}));
  EXPECT_EQ(plan.dims.size(), 2u);  // n and 4
}

TEST(Lower, AReshapeIsNoStep) {
  const std::string text = R"(graph main(%x: float32[4,6]) {
    %s = constant int64[2]:{6,4}
    %a = Softmax(%x)
    %r = Reshape(%a, %s)
    %y = Softmax(%r)
    return %y
  })";
  const plan::Plan plan = build(text, options_of("ref", 0));
  EXPECT_EQ(plan.programs[0].steps.size(), 2u);
  expect_same_as_reference(text, {{{random_f32({4, 6}, 1)}}});
}

TEST(Lower, BodiesAreProgramsOfTheirOwn) {
  const plan::Plan plan = build(R"(graph main(%n: int64[], %x: float32[3]) {
    %y = Loop(%n, _, %x) regions {
      graph body(%i: int64[], %c: bool[], %s: float32[3]) {
        %t = Sin(%s)
        %go = Identity(%c)
        return %go, %t
      }
    }
    return %y
  })",
                                options_of("ref", 0));
  ASSERT_EQ(plan.programs.size(), 2u);
  const auto& steps = plan.programs[0].steps;
  const auto loop = std::find_if(steps.begin(), steps.end(), [](const auto& s) { return s.op == "Loop"; });
  ASSERT_NE(loop, steps.end());
  EXPECT_EQ(loop->bodies, std::vector<uint32_t>{1});
}

}  // namespace
}  // namespace kiln::testing
