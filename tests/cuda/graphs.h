// What tests of rules ask of graphs.
#pragma once
#include <string>
#include <vector>

#include "ir/graph.h"
#include "ir/text.h"

namespace kiln::cuda {

// "Conv+Relu SqueezeExcite": operators with their post-operations.
inline std::string operator_names(const ir::Graph& graph) {
  std::string names;
  for (const auto& node : graph.nodes()) {
    names += (names.empty() ? "" : " ") + node->op_name();
    for (const ir::PostOp& post : node->post) names += "+" + post.op->name();
  }
  return names;
}

// Its results for random inputs.
inline std::vector<Datum> values_of(const ir::Graph& graph) {
  std::vector<Datum> inputs;
  for (const ir::Value* v : graph.inputs())
    inputs.emplace_back(ir::random_tensor(v->dtype(), static_dims(v->shape()), inputs.size() + 1));
  return ir::evaluate(graph, std::move(inputs));
}

}  // namespace kiln::cuda
