// Numbers that profiles give to dimensions.
#include "compiler/extents.h"

#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

const char* kGraph = R"(graph main(%x: float32[n,4], %z: float32[n,m]) {
  %y = Relu(%x)
  %w = Abs(%z)
  return %y, %w
})";

ProfileBounds bounds(Dims least, Dims usual, Dims most) {  // of n and m
  return {{"x", {{least[0], 4}, {usual[0], 4}, {most[0], 4}}}, {"z", {least, usual, most}}};
}
const Shape kSizes{Dim::symbol("n"), Dim::symbol("m"), Dim::symbol("n") * Dim::symbol("m"), Dim(3)};

TEST(Extents, OptimumLeastAndMost) {
  const auto graph = ir::parse_graph(kGraph);
  const Extents e(*graph, {bounds({1, 2}, {3, 5}, {6, 7}), bounds({2, 1}, {8, 2}, {9, 3})});
  EXPECT_EQ(e.opt(kSizes), (Dims{3, 5, 15, 3}));
  EXPECT_EQ(e.at_profile(1).opt(kSizes), (Dims{8, 2, 16, 3}));
  EXPECT_EQ(e.max(kSizes), (Dims{9, 7, 42, 3}));  // of the profiles, one by one: 6 * 7 and 9 * 3
  EXPECT_EQ(e.min(kSizes), (Dims{1, 1, 2, 3}));
  EXPECT_EQ(e.reserved(kSizes), e.max(kSizes));
  ASSERT_EQ(e.profiles().size(), 2u);
  EXPECT_EQ(e.profiles()[1].inputs[1].opt, (Dims{8, 2}));
}

TEST(Extents, UnknownSymbolsAreGuessedOnlyWhereThatIsAsked) {
  const auto graph = ir::parse_graph(kGraph);
  const Extents e(*graph, {bounds({1, 2}, {3, 5}, {6, 7})});
  const Shape late{Dim::symbol("late"), Dim::symbol("n")};
  EXPECT_FALSE(e.opt(late));
  EXPECT_FALSE(e.max(late));
  EXPECT_EQ(e.guess(late, 32), (Dims{32, 3}));
}

TEST(Extents, DimensionsOfOneNameMeet) {
  const auto graph = ir::parse_graph(kGraph);
  const Extents e(*graph, {{{"x", {{1, 4}, {4, 4}, {9, 4}}}, {"z", {{3, 1}, {3, 1}, {5, 1}}}}});
  EXPECT_EQ(e.min({Dim::symbol("n")}), Dims{3});
  EXPECT_EQ(e.max({Dim::symbol("n")}), Dims{5});
}

void expect_refused(const ProfileBounds& profile, const char* part) {
  const auto graph = ir::parse_graph(kGraph);
  try {
    const Extents e(*graph, {profile});
    ADD_FAILURE() << "taken, without '" << part << "'";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kInvalidArgument) << e.what();
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("remedy"), std::string::npos) << e.what();
  }
}

TEST(Extents, ProfilesThatAreNotSoundAreErrors) {
  expect_refused({}, "'x'");                                // none for a dynamic input
  expect_refused(bounds({4, 1}, {3, 1}, {6, 1}), "min 4");  // least above usual
  expect_refused(bounds({1, 1}, {7, 1}, {6, 1}), "max 6");  // usual above most
  expect_refused(bounds({-1, 1}, {3, 1}, {6, 1}), "min -1");
  expect_refused({{"x", {{1}, {2}, {3}}}, {"z", {{1, 1}, {1, 1}, {1, 1}}}}, "rank is 1");
  expect_refused({{"x", {{1, 3}, {1, 4}, {1, 5}}}, {"z", {{1, 1}, {1, 1}, {1, 1}}}}, "fixed at 4");
  expect_refused({{"x", {{1, 4}, {1, 4}, {2, 4}}}, {"z", {{3, 1}, {3, 1}, {5, 1}}}}, "'n'");  // no common size
}

TEST(Extents, NamesOfOtherInputsAreErrors) {
  const auto graph = ir::parse_graph(kGraph);
  ProfileBounds profile = bounds({1, 1}, {1, 1}, {1, 1});
  profile["nothing"] = {{1}, {1}, {1}};
  EXPECT_THROW(Extents(*graph, {profile}), Error);
}

TEST(BindFixedSymbols, SizesThatNeverVaryBecomeNumbers) {
  auto graph = ir::parse_graph(kGraph);
  bind_fixed_symbols(*graph, {bounds({1, 5}, {3, 5}, {6, 5}), bounds({1, 5}, {1, 5}, {1, 5})});
  EXPECT_EQ(graph->inputs()[1]->shape()[1].constant(), 5);
  EXPECT_FALSE(graph->inputs()[1]->shape()[0].constant());
  EXPECT_EQ(graph->outputs()[1]->shape()[1].constant(), 5);  // and what follows from them
  graph = ir::parse_graph(kGraph);
  bind_fixed_symbols(*graph, {bounds({1, 5}, {3, 5}, {6, 5}), bounds({1, 6}, {1, 6}, {1, 6})});
  EXPECT_FALSE(graph->inputs()[1]->shape()[1].constant());  // 5 in one profile, 6 in the other
  bind_fixed_symbols(*graph, {});
  EXPECT_FALSE(graph->inputs()[1]->shape()[1].constant());
}

}  // namespace
}  // namespace kiln::testing
