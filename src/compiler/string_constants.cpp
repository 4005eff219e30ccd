// Strings among constants, as nodes.
#include "compiler/string_constants.h"

namespace kiln {

void compute_string_constants(ir::Graph& graph) {
  std::vector<ir::Value*> found;
  for (const auto& value : graph.values())
    if (value->constant() && value->dtype() == DType::kString) found.push_back(value.get());
  for (ir::Value* value : found) {
    ir::NodeSpec spec;
    spec.op = find_op("StringConstant");
    spec.attributes.set("value", *value->constant());
    spec.name = value->name();
    ir::Node* first = graph.nodes().empty() ? nullptr : graph.nodes().front().get();
    graph.replace_uses(value, graph.add_node(std::move(spec), first)->output());
  }
  graph.remove_dead();
  for (const auto& node : graph.nodes())
    for (const auto& region : node->regions) compute_string_constants(*region);
}

}  // namespace kiln
