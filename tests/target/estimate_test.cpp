// Estimates from facts of devices.
#include "target/estimate.h"

#include <gtest/gtest.h>

#include "ir/text.h"

namespace kiln {
namespace {

constexpr double kGiga = 1e9;

DeviceFacts known_facts() {
  DeviceFacts f;
  f.bytes_per_second = 100 * kGiga;
  f.operations_per_second = {{DType::kF32, 1000 * kGiga}, {DType::kI8, 8000 * kGiga}};
  return f;
}

// The only node of the graph, at its static sizes.
struct Case {
  explicit Case(const std::string& text) : graph(ir::parse_graph(text)) {
    problem.node = graph->nodes().front().get();
    for (const ir::Value* v : problem.node->inputs()) problem.inputs.push_back(argument(v));
    for (const ir::Value* v : problem.node->outputs()) problem.outputs.push_back(argument(v));
  }
  static Argument argument(const ir::Value* v) {
    Argument a;
    if (!v) return a;
    a.present = true;
    a.dtype = v->dtype();
    a.opt = a.max = static_dims(v->shape());
    a.constant = v->constant();
    return a;
  }
  std::unique_ptr<ir::Graph> graph;
  Problem problem;
};

const char* kProduct = "graph main(%a: float32[10,20], %b: float32[20,30]) {\n  %y = MatMul(%a, %b)\n  return %y\n}";

TEST(Workloads, OfProblemsAreThoseOfTheirNodes) {
  for (const char* text :
       {kProduct, "graph main(%x: float32[1,3,8,8], %w: float32[4,3,3,3]) {\n  %y = Conv(%x, %w)\n  return %y\n}",
        "graph main(%x: bfloat16[2,5]) {\n  %y = Sin(%x)\n  return %y\n}",
        "graph main(%x: float32[0,5]) {\n  %y = Transpose(%x) {perm=[1,0]}\n  return %y\n}"}) {
    const Case c(text);
    const Workload own = workload_of(c.problem), node = workload_of(*c.problem.node, static_dims);
    EXPECT_EQ(own.flops, node.flops) << text;
    EXPECT_EQ(own.bytes, node.bytes) << text;
  }
  const Case c(kProduct);
  EXPECT_EQ(workload_of(c.problem).flops, 2.0 * 10 * 20 * 30);
  EXPECT_EQ(workload_of(c.problem).bytes, 4.0 * (10 * 20 + 20 * 30 + 10 * 30));
}

TEST(Estimates, FollowTheFactsThatAreKnown) {
  const Estimate e = roofline({2e6, 3e5}, DType::kF32, known_facts());
  EXPECT_DOUBLE_EQ(e.compute, 2e-6);
  EXPECT_DOUBLE_EQ(e.move, 3e-6);
  EXPECT_GT(e.launch, 0);
  EXPECT_DOUBLE_EQ(e.seconds(), e.move + e.launch);
  EXPECT_GT(roofline({2e6, 2e5}, DType::kF32, known_facts()).seconds(),
            roofline({2e6, 1e5}, DType::kF32, known_facts()).seconds());
  EXPECT_DOUBLE_EQ(roofline({2e6, 0}, DType::kI8, known_facts()).compute, 0.25e-6);
  EXPECT_DOUBLE_EQ(roofline({2e6, 0}, DType::kBF16, known_facts()).compute, 1e-6);  // half the bits of float32
  EXPECT_DOUBLE_EQ(roofline({2e6, 0}, DType::kF64, known_facts()).compute, 4e-6);
}

TEST(Estimates, WithoutFactsTheUnitsTell) {
  DeviceFacts two;
  two.units = 2;
  const Estimate one = roofline({1e9, 1e6}, DType::kF32, DeviceFacts()), half = roofline({1e9, 1e6}, DType::kF32, two);
  EXPECT_GT(one.compute, 0);
  EXPECT_DOUBLE_EQ(half.compute, one.compute / 2);
  EXPECT_DOUBLE_EQ(half.move, one.move / 2);
  EXPECT_DOUBLE_EQ(roofline({1e9, 0}, DType::kBF16, two).compute, half.compute / 2);
}

TEST(Estimates, ATacticMayKnowMore) {
  const Case c(kProduct);
  Tactic t{.name = "t", .accepts = nullptr, .configurations = nullptr, .emit = nullptr};
  const double plain = estimate(t, c.problem, known_facts()).seconds();
  EXPECT_DOUBLE_EQ(plain, roofline(workload_of(c.problem), DType::kF32, known_facts()).seconds());
  t.estimate = [](const Problem&, const DeviceFacts&) { return Estimate{1, 2, 3}; };
  EXPECT_DOUBLE_EQ(estimate(t, c.problem, known_facts()).seconds(), 5);
}

TEST(Estimates, ANodeMultipliesInTheTypeThatItIsToComputeIn) {
  const Case single("graph main(%a: float32[4,4]) {\n  %y = MatMul(%a, %a)\n  return %y\n}"),
      narrow("graph main(%a: float32[4,4]) {\n  %y = MatMul(%a, %a) in bfloat16\n  return %y\n}");
  EXPECT_EQ(type_of_products(single.problem), DType::kF32);
  EXPECT_EQ(type_of_products(narrow.problem), DType::kBF16);
}

TEST(Estimates, MovingCountsBothWays) {
  EXPECT_DOUBLE_EQ(estimate_move(1e6, 5e5, known_facts()).move, 15e-6);
  EXPECT_EQ(estimate_move(0, 0, known_facts()).move, 0);
}

// By the operator, and by what the tactic says.
TEST(TypeComputed, IsThatOfWhatIsMultiplied) {
  const auto computed = [](const std::string& text, const Emitted& emitted = {}) {
    return type_computed(Case(text).problem, emitted);
  };
  EXPECT_EQ(computed(kProduct), DType::kF32);
  Emitted rounds;
  rounds.computes = DType::kBF16;
  EXPECT_EQ(computed(kProduct, rounds), DType::kBF16);
  EXPECT_EQ(computed("graph main(%a: uint8[2,3], %b: int8[3,4]) {\n %y = MatMulInteger(%a, %b) + Cast(.) {to = "
                     "\"float32\"}\n return %y\n}"),
            DType::kU8);
  const std::string scale = " %s = constant float32[]:{0.5}\n";
  EXPECT_EQ(computed("graph main(%a: int8[2,3]) {\n" + scale + " %y = Dequantize(%a, %s)\n return %y\n}"), DType::kF32);
  EXPECT_EQ(computed("graph main(%a: int8[2,3], %b: int8[2,3]) {\n" + scale +
                     " %y = Max(%a, %b) + Dequantize(., %s)\n return %y\n}"),
            DType::kF32);
  EXPECT_EQ(computed("graph main(%a: int8[2,3], %b: int8[2,3]) {\n %y = Max(%a, %b)\n return %y\n}"), DType::kI8);
}

}  // namespace
}  // namespace kiln
