// Reference evaluation of graphs.
#include <map>

#include "base/error.h"
#include "ir/graph.h"

namespace kiln::ir {

std::vector<Datum> evaluate(const Node& node, std::vector<Datum> inputs) {
  const RefCall::RegionRunner run_region = [&](int region, std::vector<Datum> arguments) {
    return evaluate(*node.regions.at(static_cast<size_t>(region)), std::move(arguments));
  };
  const std::vector<Datum> base(inputs.begin(), inputs.begin() + node.base_input_count());
  std::vector<Datum> results =
      kiln::evaluate(node.op(), node.attributes, base, static_cast<int>(node.outputs().size()), run_region);
  for (const PostOp& post : node.post) {
    std::vector<Datum> operands;
    for (int operand : post.operands)
      operands.push_back(operand < 0 ? results[0] : inputs.at(static_cast<size_t>(operand)));
    results[0] = kiln::evaluate(*post.op, post.attributes, std::move(operands), 1).at(0);
  }
  return results;
}

std::vector<Datum> evaluate(const Graph& graph, std::vector<Datum> inputs, const Observer& observer) {
  if (inputs.size() != graph.inputs().size())
    throw Error(Code::kInvalidArgument, "the graph takes " + std::to_string(graph.inputs().size()) + " inputs, " +
                                            std::to_string(inputs.size()) + " given");
  std::map<const Value*, Datum> values;
  std::map<const Value*, size_t> reads;
  for (size_t i = 0; i < inputs.size(); ++i) values[graph.inputs()[i]] = std::move(inputs[i]);
  auto read = [&](const Value* v) {
    if (!v) return Datum();
    return v->constant() ? Datum(*v->constant()) : values.at(v);
  };
  for (const auto& node : graph.nodes()) {
    std::vector<Datum> arguments;
    for (const Value* v : node->inputs()) arguments.push_back(read(v));
    std::vector<Datum> results;
    try {
      results = evaluate(*node, std::move(arguments));
    } catch (Error& error) {
      error.add_node("'" + node->name() + "' (" + node->op_name() + ")");
      throw;
    }
    for (size_t i = 0; i < results.size(); ++i) {
      if (observer) observer(*node->output(static_cast<int>(i)), results[i]);
      values[node->output(static_cast<int>(i))] = std::move(results[i]);
    }
    for (const Value* v : node->inputs())
      if (v && v->producer() && !v->is_graph_output() && ++reads[v] == v->uses().size()) values.erase(v);
  }
  std::vector<Datum> outputs;
  for (const Value* v : graph.outputs()) outputs.push_back(read(v));
  return outputs;
}

}  // namespace kiln::ir
