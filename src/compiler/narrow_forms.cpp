// Forms of nodes that read and write narrower numbers than the model says.
#include "compiler/narrow_forms.h"

#include <algorithm>

namespace kiln {
namespace {

bool is_single(const ir::Value* v) { return v && v->is_tensor() && v->dtype() == DType::kF32; }

bool may_compute_in(const ir::Node& node, DType type) {
  return node.precision == DType::kInvalid || node.precision == type;
}

// The operator that reads input `i`, and what it says of it.
const InputDef* definition_of(const ir::Node& node, size_t input) {
  const auto i = static_cast<int>(input);
  if (i < node.base_input_count()) return node.op().input_def(i);
  for (const ir::PostOp& post : node.post)
    for (size_t k = 0; k < post.operands.size(); ++k)
      if (post.operands[k] == i) return post.op->input_def(static_cast<int>(k));
  return nullptr;
}

// Everything of float32 that it reads and writes can have the type.
bool can_be(const ir::Node& node, DType type) {
  const bool gives = !node.outputs().empty() && std::all_of(node.outputs().begin(), node.outputs().end(), is_single);
  bool reads = false;
  for (size_t i = 0; gives && i < node.inputs().size(); ++i)
    reads |= may_become_narrow(node, i, type) && !is_of_post_operation(node, i);
  return reads && std::all_of(node.post.begin(), node.post.end(), [&](const ir::PostOp& post) {
           return post.op->input_def(0) && post.op->input_def(0)->types.has(type);
         });
}

// Moves elements of its first input, or picks some by comparing them: rounding before it is rounding after it.
bool only_moves(const ir::Node& node) {
  const OpDef& op = node.op();
  if (op.is_pointwise() || op.region_count() > 0 || !op.deterministic() || op.accuracy() != Accuracy::kExact)
    return false;
  if (!node.post.empty()) return false;
  const ir::Value* data = node.input(0);
  const TypeRule& type = op.outputs()[0].type;
  return data && data->ranked() && data->rank() > 0 && type.kind == TypeRule::kSameAs &&
         type.name == op.inputs()[0].name;
}

void cast_first(ir::Node& node, DType type) {
  node.add_post_op({find_op("Cast"), {{"to", std::string(name(type))}}, {-1}}, {});
  std::rotate(node.post.begin(), node.post.end() - 1, node.post.end());
}

}  // namespace

bool takes(const ir::Node& node, size_t input, DType type) {
  const InputDef* definition = definition_of(node, input);
  return definition && definition->types.has(type);
}

bool may_become_narrow(const ir::Node& node, size_t input, DType type) {
  return is_single(node.inputs()[input]) && takes(node, input, type);
}

std::vector<Form> narrow_forms(const ir::Node& node, DType type) {
  if (!may_compute_in(node, type) || !can_be(node, type)) return {};
  if (only_moves(node)) return {{true, true}};
  if (node.precision != type || node.outputs().size() != 1) return {};
  return {{false, true}, {true, false}, {true, true}};
}

void take_form(ir::Node& node, Form form, DType type, const std::function<ir::Value*(ir::Value*)>& narrowed) {
  if (form == Form()) return;
  if (form.reads != form.writes) cast_first(node, form.writes ? type : DType::kF32);
  for (size_t i = 0; i < node.inputs().size(); ++i) {
    const bool narrow = is_of_post_operation(node, i) ? form.writes : form.reads;
    if (narrow && may_become_narrow(node, i, type)) node.set_input(static_cast<int>(i), narrowed(node.inputs()[i]));
  }
  node.graph().infer(node);
}

FormProblem::FormProblem(const Problem& wide, Form form, DType type)
    : graph_(std::make_unique<ir::Graph>()), problem_(wide) {
  const ir::Node& from = *wide.node;
  std::vector<ir::Value*> inputs;
  for (const ir::Value* v : from.inputs()) {
    inputs.push_back(!v              ? nullptr
                     : v->constant() ? graph_->add_constant(*v->constant(), v->name())
                                     : graph_->add_input(v->name(), v->type()));
    if (v && v->elements()) inputs.back()->set_elements(v->elements());
  }
  const auto base = inputs.begin() + from.base_input_count();
  ir::Node* node = graph_->add_node({.op = &from.op(),
                                     .inputs = {inputs.begin(), base},
                                     .attributes = from.attributes,
                                     .name = from.name(),
                                     .origins = {},
                                     .output_count = static_cast<int>(from.outputs().size()),
                                     .regions = {},
                                     .output_names = {},
                                     .precision = from.precision});
  node->add_post_op({}, {base, inputs.end()});
  node->post = from.post;
  take_form(*node, form, type, [&](ir::Value* v) {
    if (v->constant()) return graph_->add_constant(v->constant()->cast(type));
    EdgeType narrow = v->type();
    narrow.tensor.dtype = type;
    return graph_->add_input(v->name(), narrow);
  });
  problem_.node = node;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ir::Value* v = node->inputs()[i];
    if (!v) continue;
    problem_.inputs[i].dtype = v->dtype();
    problem_.inputs[i].constant = v->constant();
  }
  for (size_t i = 0; i < problem_.outputs.size(); ++i)
    if (problem_.outputs[i].present) problem_.outputs[i].dtype = node->outputs()[i]->dtype();
}

}  // namespace kiln
