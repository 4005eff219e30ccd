// Copies the nodes of a graph into another.
#include "frontends/onnx/inlined.h"

#include <map>

namespace kiln::onnx {

std::vector<ir::Value*> inlined(const ir::Graph& body, ir::Graph& graph, const std::vector<ir::Value*>& arguments) {
  std::map<const ir::Value*, ir::Value*> values;
  for (size_t i = 0; i < arguments.size(); ++i) values[body.inputs()[i]] = arguments[i];
  const auto value_of = [&](const ir::Value* v) -> ir::Value* {
    if (!v) return nullptr;
    if (const auto found = values.find(v); found != values.end()) return found->second;
    return values[v] = graph.add_constant(*v->constant(), v->name());
  };
  for (const auto& node : body.nodes()) {
    ir::NodeSpec spec;
    spec.op = &node->op();
    for (const ir::Value* v : node->inputs()) spec.inputs.push_back(value_of(v));
    spec.attributes = node->attributes;
    spec.name = node->name();
    spec.origins = node->origins;
    spec.output_count = static_cast<int>(node->outputs().size());
    for (const auto& region : node->regions) spec.regions.push_back(region->clone());
    for (const ir::Value* v : node->outputs()) spec.output_names.push_back(v->name());
    const auto& made = graph.add_node(std::move(spec))->outputs();
    for (size_t i = 0; i < made.size(); ++i) values[node->outputs()[i]] = made[i];
  }
  std::vector<ir::Value*> results;
  for (const ir::Value* v : body.outputs()) results.push_back(value_of(v));
  return results;
}

}  // namespace kiln::onnx
