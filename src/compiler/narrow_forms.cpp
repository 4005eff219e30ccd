// The forms in which a node can read and write narrower numbers than float32.
#include "compiler/narrow_forms.h"

#include <algorithm>

#include "tensor/let_go.h"

namespace kiln {
namespace {

bool is_single(const ir::Value* v) { return v && v->is_tensor() && v->dtype() == DType::kF32; }
bool is_half(DType type) { return type == DType::kF16 || type == DType::kBF16; }

bool may_compute_in(const ir::Node& node, DType type) {
  return node.precision == DType::kInvalid || node.precision == type;
}

bool is_of_post_operation(const ir::Node& node, size_t input) {
  return static_cast<int>(input) >= node.base_input_count();
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

// It reads float32 as what the operator takes in the type, too, and its post-operations take that.
bool can_read(const ir::Node& node, DType type) {
  bool reads = false;
  for (size_t i = 0; i < node.inputs().size(); ++i)
    reads |= is_single(node.inputs()[i]) && side_of(node, i, type) == Side::kReads;
  return reads && std::all_of(node.post.begin(), node.post.end(), [&](const ir::PostOp& post) {
           return post.op->input_def(0) && post.op->input_def(0)->types.has(type);
         });
}

bool gives_single(const ir::Node& node) {
  return !node.outputs().empty() && std::all_of(node.outputs().begin(), node.outputs().end(), is_single);
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

// The type to which a pointwise node casts its first input, before all else but Relu, which gives the same behind it; kInvalid: none.
DType casts_first_to(const ir::Node& node) {
  if (node.is("Cast")) return node.attributes.dtype("to");
  const bool follows = node.is("Relu") && !node.post.empty() && node.post.front().op == find_op("Cast");
  return follows ? node.post.front().attributes.dtype("to") : DType::kInvalid;
}

// The same of float32 and types of 16 bits alone.
DType rounds_to(const ir::Node& node) {
  const DType to = casts_first_to(node);
  return is_half(to) && is_single(node.input(0)) ? to : DType::kInvalid;
}

// The type of 16 bits from which a pointwise node casts to float32 last of all; kInvalid: none.
DType widens_from(const ir::Node& node) {
  const bool casts = node.post.empty() ? node.is("Cast") : node.post.back().op == find_op("Cast");
  if (!casts || !node.op().is_pointwise() || !is_single(node.output())) return DType::kInvalid;
  const DType from = node.post.empty() ? node.input(0)->dtype() : ir::type_before_last_post_op(node).tensor.dtype;
  return is_half(from) ? from : DType::kInvalid;
}

// Holds nothing but numbers of the type.
bool is_exact_in(const ir::Value& v, DType type) {
  if (!v.constant()) return v.producer() && widens_from(*v.producer()) == type;
  const bool exact = v.constant()->cast(type).cast(DType::kF32).identical(*v.constant());
  let_go(*v.constant());
  return exact;
}

// Everyone who reads it rounds it to the type first.
bool is_rounded_to(const ir::Value& v, DType type) {
  return !v.is_graph_output() && std::all_of(v.uses().begin(), v.uses().end(), [&](const ir::Use& use) {
    return use.input == 0 && rounds_to(*use.node) == type;
  });
}

// In float32 between casts it gives what it gives in the type: an operator rounds its result.
bool stands_between_casts(const ir::Node& node, DType type) {
  for (size_t i = 0; i < node.inputs().size(); ++i)
    if (is_single(node.inputs()[i]) && side_of(node, i, type) != Side::kNone && !is_exact_in(*node.inputs()[i], type))
      return false;
  const bool rounded = std::all_of(node.outputs().begin(), node.outputs().end(),
                                   [&](const ir::Value* v) { return !is_single(v) || is_rounded_to(*v, type); });
  // Rounding keeps the order, so it may come before as well; the bounds of Clip are numbers of the type.
  return rounded && std::all_of(node.post.begin(), node.post.end(), [](const ir::PostOp& post) {
           return post.op == find_op("Relu") || post.op == find_op("Clip");
         });
}

std::vector<Form> declared_forms(const ir::Node& node, DType type) {
  if (node.op().is_pointwise() || !can_read(node, type) || !stands_between_casts(node, type)) return {};
  if (node.outputs().size() != 1 || !gives_single(node)) return {{true, true}};
  return {{false, true}, {true, false}, {true, true}};
}

std::vector<Form> pointwise_forms(const ir::Node& node, DType type) {
  const bool first = rounds_to(node) == type, last = widens_from(node) == type;
  if (first && last) return {{false, true}, {true, false}, {true, true}};
  if (first) return {{true, false}};
  if (last) return {{false, true}};
  return {};
}

void widen_no_more(ir::Node& node, DType type) {
  if (node.post.empty()) node.attributes.set("to", std::string(name(type)));
  else node.take_last_post_op();
}

}  // namespace

std::vector<DType> narrow_types(const ir::Node& node, DType compute) {
  std::vector<DType> types;
  if (node.op().is_pointwise()) types = {rounds_to(node), widens_from(node)};
  else types = {is_half(node.declared) ? node.declared : compute};
  std::erase_if(types, [](DType type) { return !is_half(type); });
  return types;
}

Side side_of(const ir::Node& node, size_t input, DType type) {
  if (node.op().is_pointwise()) return input == 0 && casts_first_to(node) == type ? Side::kReads : Side::kNone;
  const InputDef* definition = definition_of(node, input);
  if (!definition || !definition->types.has(type)) return Side::kNone;
  return is_of_post_operation(node, input) ? Side::kWrites : Side::kReads;
}

std::vector<Form> narrow_forms(const ir::Node& node, DType type) {
  if (!may_compute_in(node, type)) return {};
  if (node.op().is_pointwise()) return pointwise_forms(node, type);
  if (is_half(node.declared)) return node.declared == type ? declared_forms(node, type) : std::vector<Form>();
  if (!gives_single(node) || !can_read(node, type)) return {};
  if (only_moves(node)) return {{true, true}};
  if (node.precision != type || node.outputs().size() != 1) return {};
  return {{false, true}, {true, false}, {true, true}};
}

void take_form(ir::Node& node, Form form, DType type, const std::function<ir::Value*(ir::Value*)>& narrowed) {
  if (form == Form()) return;
  const bool widens = widens_from(node) == type;
  if (!node.op().is_pointwise() && form.reads != form.writes) cast_first(node, form.writes ? type : DType::kF32);
  for (size_t i = 0; i < node.inputs().size(); ++i) {
    const Side side = side_of(node, i, type);
    const bool narrow = side == Side::kReads ? form.reads : side == Side::kWrites && form.writes;
    if (narrow && is_single(node.inputs()[i])) node.set_input(static_cast<int>(i), narrowed(node.inputs()[i]));
  }
  if (widens && form.writes) widen_no_more(node, type);
  node.graph().infer(node);
}

bool copies(const ir::Node& node) {
  return node.is("Cast") && node.post.empty() && node.input(0)->dtype() == node.output()->dtype();
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
                                     .precision = from.precision,
                                     .declared = from.declared,
                                     .keeps = from.keeps});
  node->add_post_op({}, {base, inputs.end()});
  node->post = from.post;
  graph_->infer(*node);
  take_form(*node, form, type, [&](ir::Value* v) {
    if (v->constant()) {
      ir::Value* narrow = graph_->add_constant(v->constant()->cast(type));
      let_go(*v->constant());
      return narrow;
    }
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
