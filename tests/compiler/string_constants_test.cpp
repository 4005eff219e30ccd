// Constants of strings become nodes, whatever reads them.
#include "compiler/string_constants.h"

#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

size_t constants_of_strings(const ir::Graph& graph) {
  size_t count = 0;
  for (const auto& value : graph.values()) count += value->constant() && value->dtype() == DType::kString;
  for (const auto& node : graph.nodes())
    for (const auto& region : node->regions) count += constants_of_strings(*region);
  return count;
}

size_t nodes_of(const ir::Graph& graph, const char* op) {
  return static_cast<size_t>(
      std::count_if(graph.nodes().begin(), graph.nodes().end(), [&](const auto& n) { return n->is(op); }));
}

ir::Value* joined(ir::Graph& graph, ir::Value* a, ir::Value* b) {
  ir::NodeSpec spec;
  spec.op = find_op("StringConcat");
  spec.inputs = {a, b};
  return graph.add_node(std::move(spec))->output();
}

TEST(StringConstants, BecomeResultsOfNodes) {
  const auto graph = std::make_unique<ir::Graph>();
  ir::Value* x = graph->add_input("x", {Datum::kTensor, {DType::kString, {Dim(2)}}});
  ir::Value* words = graph->add_constant(Tensor::strings({2}, {"a", "bc"}), "words");
  graph->set_outputs({joined(*graph, joined(*graph, words, x), words)});
  ASSERT_EQ(constants_of_strings(*graph), 1u);
  const std::vector<Datum> inputs{Tensor::strings({2}, {"x", "y"})};
  const auto before = ir::evaluate(*graph, inputs)[0].tensor.string_values();
  EXPECT_EQ(before, (std::vector<std::string>{"axa", "bcybc"}));
  compute_string_constants(*graph);
  EXPECT_EQ(constants_of_strings(*graph), 0u);
  EXPECT_EQ(nodes_of(*graph, "StringConstant"), 1u);  // one for all that read it
  EXPECT_EQ(ir::evaluate(*graph, inputs)[0].tensor.string_values(), before);
  compute_string_constants(*graph);
  EXPECT_EQ(nodes_of(*graph, "StringConstant"), 1u);
}

TEST(StringConstants, OthersStay) {
  const auto graph = ir::parse_graph(
      "graph main(%x: float32[2]) {\n  %k = constant float32[2]:{1,2}\n  %y = Add(%x, %k)\n  return %y\n}");
  compute_string_constants(*graph);
  EXPECT_EQ(nodes_of(*graph, "StringConstant"), 0u);
  EXPECT_EQ(graph->nodes().size(), 1u);
}

}  // namespace
}  // namespace kiln::testing
