// Problems: what is known of the operands of each node when its tactic is chosen.
#include "compiler/problems.h"

#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

std::vector<Problem> problems_of(const ir::Graph& graph, std::vector<ProfileBounds> profiles, bool is_body = false) {
  return make_problems(Extents(graph, profiles), 3, graph, is_body);
}

TEST(Problems, OneForEachNodeWithNumbers) {
  const auto graph = ir::parse_graph(R"(graph main(%x: float32[n,4], %z: float32[4]) {
    %k = constant float32[4]:{1,2,3,4}
    %six = constant float32[]:{6}
    %a = Add(%x, %k)
    %b = Clip(%a, _, %six)
    return %b
  })");
  const auto problems = problems_of(*graph, {{{"x", {{1, 4}, {2, 4}, {5, 4}}}}});
  ASSERT_EQ(problems.size(), 2u);
  const Problem& add = problems[0];
  EXPECT_EQ(add.node, graph->nodes().front().get());
  EXPECT_EQ(add.threads, 3);
  EXPECT_EQ(add.input(0).opt, (Dims{2, 4}));
  EXPECT_EQ(add.input(0).max, (Dims{5, 4}));
  EXPECT_EQ(add.input(0).min, (Dims{1, 4}));
  EXPECT_FALSE(add.input(0).is_static);
  EXPECT_FALSE(add.input(0).constant);
  EXPECT_TRUE(add.input(1).is_static && add.input(1).constant);
  EXPECT_EQ(add.outputs.at(0).opt, (Dims{2, 4}));
  EXPECT_FALSE(add.sizes_results);
  EXPECT_FALSE(problems[1].input(1).present);
  EXPECT_TRUE(problems[1].input(2).constant);
  EXPECT_FALSE(problems[1].input(7).present);
}

TEST(Problems, SizesThatOnlyRunningTells) {
  const auto graph = ir::parse_graph(R"(graph main(%x: float32[6]) {
    %i = NonZero(%x)
    %r = Abs(%i)
    return %r
  })");
  const auto problems = problems_of(*graph, {});
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_TRUE(problems[0].sizes_results);   // it makes the size
  EXPECT_FALSE(problems[1].sizes_results);  // which is known by then
  const Argument& late = problems[1].input(0);
  EXPECT_TRUE(late.ranked);
  EXPECT_FALSE(late.is_static);
  EXPECT_GT(late.opt[1], 0);
  EXPECT_GE(late.max[1], late.opt[1]);
}

TEST(Problems, ResultsThatNobodyReadsAreAbsent) {
  const auto graph = ir::parse_graph(R"(graph main(%x: float32[2,6]) {
    %n = constant int64[1]:{2}
    %w, %k = TopK(%x, %n) {axis=1}
    return %w
  })");
  const auto problems = problems_of(*graph, {});
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_TRUE(problems[0].outputs.at(0).present);
  EXPECT_FALSE(problems[0].outputs.at(1).present);
}

TEST(Problems, NodesWithRegionsAreLeftOut) {
  const auto graph = ir::parse_graph(R"(graph main(%n: int64[], %x: float32[3]) {
    %y = Loop(%n, _, %x) regions {
      graph body(%i: int64[], %c: bool[], %s: float32[3]) {
        %t = Sin(%s)
        %go = Identity(%c)
        return %go, %t
      }
    }
    %z = Abs(%y)
    return %z
  })");
  const auto problems = problems_of(*graph, {});
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].op(), "Abs");
}

}  // namespace
}  // namespace kiln::testing
