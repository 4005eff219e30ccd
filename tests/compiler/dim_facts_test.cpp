// What operators demand of dimensions: recorded, used for bounds, and refused where no shape fulfils it.
#include "ir/dim_facts.h"

#include "compiler/engine_testing.h"
#include "compiler/extents.h"
#include "device/workspace.h"

namespace kiln::testing {
namespace {

const char* const kDecoder =
    R"(graph main(%q: float32[n,4,s,8], %k: float32[n,4,s,8], %p: float32[n,4,past,8], %m: float32[n,1,s,total]) {
    %a = Concat(%p, %k) {axis=2}
    %t = Transpose(%a) {perm=[0,1,3,2]}
    %b = MatMul(%q, %t)
    %c = Add(%b, %m)
    %d = Softmax(%c)
    %y = MatMul(%d, %a)
    return %y
  })";

// past <= 10 and s <= 17 under a mask of at most `total` columns.
ProfileBounds decoder_profile(int64_t least, int64_t total) {
  return {{"q", {{1, 4, 1, 8}, {1, 4, 4, 8}, {2, 4, 17, 8}}},
          {"k", {{1, 4, 1, 8}, {1, 4, 4, 8}, {2, 4, 17, 8}}},
          {"p", {{1, 4, 0, 8}, {1, 4, 5, 8}, {2, 4, 10, 8}}},
          {"m", {{1, 1, 1, least}, {1, 1, 4, total}, {2, 1, 17, total}}}};
}

TEST(DimFacts, NodesDemandThem) {
  const auto graph = ir::parse_graph(kDecoder);
  const std::vector<ir::DimFact> facts = ir::dim_facts(*graph);
  ASSERT_EQ(facts.size(), 2u);
  for (const ir::DimFact& fact : facts) {
    EXPECT_EQ(fact.demand.same, Dim::symbol("total"));
    EXPECT_EQ(fact.demand.other, Dim::symbol("past") + Dim::symbol("s"));
  }
  EXPECT_TRUE(facts[0].demand.or_one);
  EXPECT_NE(facts[0].node.find("(Add)"), std::string::npos) << facts[0].node;
  EXPECT_FALSE(facts[1].demand.or_one);
  EXPECT_NE(facts[1].node.find("(MatMul)"), std::string::npos) << facts[1].node;
}

TEST(DimFacts, OfEqualAxesAndOfInnerDimensions) {
  const auto graph = ir::parse_graph(R"(graph main(%a: float32[x,k], %b: float32[l,4], %c: float32[y,4]) {
    %p = MatMul(%a, %b)
    %z = Concat(%p, %c) {axis=1}
    return %z
  })");
  const std::vector<ir::DimFact> facts = ir::dim_facts(*graph);
  ASSERT_EQ(facts.size(), 2u);
  EXPECT_EQ(facts[0].demand.same, Dim::symbol("k"));
  EXPECT_EQ(facts[0].demand.other, Dim::symbol("l"));
  EXPECT_EQ(facts[1].demand.same, Dim::symbol("x"));
  EXPECT_FALSE(facts[0].demand.or_one || facts[1].demand.or_one);
}

TEST(DimFacts, NotOfBranchesThatMayNotRunNorOfSizesThatOnlyRunningTells) {
  const auto graph = ir::parse_graph(R"(graph main(%c: bool[], %a: float32[x,4], %b: float32[y,4]) {
    %r = If(%c, %a, %b) {captures=2} regions {
      graph yes(%e: float32[x,4], %f: float32[y,4]) {
        %s = Concat(%e, %f) {axis=1}
        return %s
      }
      graph no(%e: float32[x,4], %f: float32[y,4]) {
        %s = Concat(%e, %e) {axis=1}
        return %s
      }
    }
    %i = NonZero(%a)
    %j = NonZero(%b)
    %k = Concat(%i, %j) {axis=0}
    return %r, %k
  })");
  EXPECT_TRUE(ir::dim_facts(*graph).empty());
}

TEST(DimFacts, NarrowBoundsAndMoveTheOptimum) {
  const auto graph = ir::parse_graph(kDecoder);
  const Extents extents(*graph, {decoder_profile(2, 20)}, {}, ir::dim_facts(*graph));
  const Shape shape{Dim::symbol("past") + Dim::symbol("s"), Dim::symbol("total"), Dim::symbol("s")};
  EXPECT_EQ(*extents.max(shape), (Dims{20, 20, 17}));
  EXPECT_EQ(*extents.min(shape), (Dims{2, 2, 1}));
  EXPECT_EQ(*extents.opt(shape), (Dims{9, 9, 4}));
  EXPECT_EQ(*extents.reserved(shape), (Dims{27, 20, 17}));
}

TEST(DimFacts, OfOneThatMayBeBroadcast) {
  const auto graph = ir::parse_graph(R"(graph main(%a: float32[x+y], %b: float32[z], %c: float32[x], %d: float32[y]) {
    %s = Add(%a, %b)
    return %s
  })");
  const auto profile = [](int64_t least) {
    return ProfileBounds{{"a", {{2 * least}, {8}, {40}}},
                         {"b", {{4}, {9}, {9}}},
                         {"c", {{least}, {4}, {20}}},
                         {"d", {{least}, {4}, {20}}}};
  };
  const Shape shape{Dim::symbol("x") + Dim::symbol("y"), Dim::symbol("z")};
  const Extents broadcast(*graph, {profile(0)}, {}, ir::dim_facts(*graph));
  EXPECT_EQ(*broadcast.max(shape), (Dims{9, 9}));
  EXPECT_EQ(*broadcast.min(shape), (Dims{0, 4}));  // of one element it would be repeated
  const Extents equal(*graph, {profile(1)}, {}, ir::dim_facts(*graph));
  EXPECT_EQ(*equal.max(shape), (Dims{9, 9}));
  EXPECT_EQ(*equal.min(shape), (Dims{4, 4}));
}

TEST(DimFacts, ThatNoShapeFulfilsAreRefused) {
  try {
    build(kDecoder, options_of("cpu", 0, {decoder_profile(30, 40)}));
    FAIL() << "the profile was accepted";
  } catch (const Error& e) {
    const std::string text = e.what();
    EXPECT_EQ(e.code(), Code::kInvalidArgument);
    for (const char* word : {"MatMul", "total", "30 to 40", "must be equal"})
      EXPECT_NE(text.find(word), std::string::npos) << text;
  }
}

TEST(DimFacts, WorkspacesAreReservedInThePlan) {
  const plan::Plan plan = build(kDecoder, options_of("cpu", 0, {decoder_profile(1, 20)}));
  const auto& steps = plan.programs[0].steps;
  const auto fused =
      std::find_if(steps.begin(), steps.end(), [](const plan::StepInfo& s) { return s.op == "Attention"; });
  ASSERT_NE(fused, steps.end());
  EXPECT_EQ(fused->kernel, "attention");
  EXPECT_GT(fused->workspace_size, 0u);
}

TEST(DimFacts, AMaskOfAnotherLengthIsAnErrorAtRun) {
  const auto engine = Engine::from_plan(build(kDecoder, options_of("cpu", 0, {decoder_profile(1, 20)})));
  auto context = engine->create_context();
  for (int64_t total : {5, 1})
    EXPECT_THROW(run(*context, {random_f32({1, 4, 2, 8}, 1), random_f32({1, 4, 2, 8}, 2), random_f32({1, 4, 4, 8}, 3),
                                random_f32({1, 1, 2, total}, 4)}),
                 Error);
}

TEST(DimFacts, EnginesOfThemAreRight) {
  std::vector<InputSet> sets;
  for (const auto& [n, s, past] : {std::tuple<int64_t, int64_t, int64_t>(1, 17, 3), {2, 10, 10}, {1, 1, 0}, {1, 2, 0}})
    sets.push_back({{random_f32({n, 4, s, 8}, 1), random_f32({n, 4, s, 8}, 2), random_f32({n, 4, past, 8}, 3),
                     random_f32({n, 1, s, s + past}, 4)}});
  expect_same_as_reference(kDecoder, sets, {decoder_profile(1, 20)});
}

// Operands that do not fit each other have no workspace, and prepare says why.
void expect_no_workspace(const char* kernel, const Attributes& parameters, std::vector<Dims> inputs,
                         std::vector<Dims> outputs) {
  const auto made = open_device("cpu").create_kernel(kernel, parameters);
  ASSERT_TRUE(made) << kernel;
  std::vector<Dims> strides;
  std::vector<TensorView> views[2];
  strides.reserve(inputs.size() + outputs.size());
  for (const auto& [list, to] : {std::pair(&inputs, &views[0]), std::pair(&outputs, &views[1])})
    for (const Dims& dims : *list) {
      strides.push_back(row_major_strides(dims));
      TensorView v;
      if (!dims.empty()) v = {nullptr, dims.data(), strides.back().data(), static_cast<int>(dims.size()), DType::kF32};
      to->push_back(v);
    }
  const KernelCall call{views[0], views[1]};
  EXPECT_EQ(made->workspace(call), kNoWorkspace) << kernel;
  EXPECT_FALSE(made->prepare(call).ok()) << kernel;
}

TEST(DimFacts, KernelsHaveNoWorkspaceForOperandsThatDoNotFit) {
  expect_no_workspace("top_k", {{"axis", int64_t{3}}, {"largest", int64_t{1}}}, {{4, 4}, {1}}, {{4, 1}});
  expect_no_workspace(
      "attention",
      {{"q_heads", int64_t{0}}, {"kv_heads", int64_t{0}}, {"causal", int64_t{0}}, {"mask_period", int64_t{0}}},
      {{1, 2, 3, 8}, {1, 2, 5, 8}, {1, 2, 6, 8}, {}}, {{1, 2, 3, 8}});
  expect_no_workspace("dft",
                      {{"axis", int64_t{7}}, {"length", int64_t{0}}, {"inverse", int64_t{0}}, {"onesided", int64_t{0}}},
                      {{2, 4, 1}}, {{2, 4, 2}});
}

}  // namespace
}  // namespace kiln::testing
