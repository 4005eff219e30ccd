// SequenceMap: a loop whose states are the sequences of results.
#include "frontends/onnx/inlined.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

EdgeType element_of(EdgeType type) {
  if (type.kind == Datum::kSequence) type.kind = Datum::kTensor;
  return type;
}

ir::Value* add_to(ir::Graph& graph, std::string_view op, std::vector<ir::Value*> inputs) {
  ir::NodeSpec spec;
  spec.op = find_op(op);
  spec.inputs = std::move(inputs);
  return graph.add_node(std::move(spec))->output();
}

void import_sequence_map(NodeImport& n) {
  std::vector<EdgeType> formals;
  for (int i = 0; i < n.input_count(); ++i) formals.push_back(element_of(n.in(i)->type()));
  NodeImport::Nested body = n.import_regions({"body"}, formals);
  const ir::Graph& inner = *body.graphs[0];

  // The loop's body: round, condition, states, then as captures the inputs of the node and what the inner graph uses.
  auto outer = std::make_unique<ir::Graph>();
  outer->name = "sequence_map";
  EdgeType counter, flag;
  counter.tensor.dtype = DType::kI64;
  flag.tensor.dtype = DType::kBool;
  ir::Value* round = outer->add_input("round", counter);
  ir::Value* condition = outer->add_input("condition", flag);
  std::vector<ir::Value*> operands{n.add("SequenceLength", {n.in(0)}), nullptr}, states, arguments;
  for (const ir::Value* v : inner.outputs()) {
    const std::string type(name(v->dtype()));
    operands.push_back(n.add("SequenceEmpty", {}, {{"dtype", type}}));
    states.push_back(outer->add_input("state" + std::to_string(states.size()), operands.back()->type()));
  }
  NodeImport::Nested loop;
  for (ir::Value* v : n.inputs()) {
    loop.captures.push_back(v);
    ir::Value* twin = outer->add_input("in" + std::to_string(arguments.size()), v->type());
    arguments.push_back(v->type().kind == Datum::kSequence ? add_to(*outer, "SequenceAt", {twin, round}) : twin);
  }
  for (ir::Value* v : body.captures) {
    loop.captures.push_back(v);
    arguments.push_back(outer->add_input("captured" + std::to_string(arguments.size()), v->type()));
  }
  std::vector<ir::Value*> results = inlined(inner, *outer, arguments);
  std::vector<ir::Value*> outputs{add_to(*outer, "Identity", {condition})};
  for (size_t i = 0; i < results.size(); ++i)
    outputs.push_back(add_to(*outer, "SequenceInsert", {states[i], results[i]}));
  outer->set_outputs(std::move(outputs));
  loop.graphs.push_back(std::move(outer));
  n.emit_nested("Loop", std::move(operands), {}, std::move(loop));
}

}  // namespace

const OnnxOp sequence_map{"SequenceMap", {{17, import_sequence_map}}};

}  // namespace kiln::onnx::ops
