// Post-operations that a kernel does before it stores its results.
#include "target/epilogue.h"

#include <cmath>
#include <map>

#include "base/index.h"
#include "target/activation_facts.h"

namespace kiln {
namespace {

// A scalar known at build time; `fallback` when the operand is absent. The running result is none.
std::optional<double> scalar_operand(const Problem& p, const ir::PostOp& post, size_t i, double fallback) {
  if (i >= post.operands.size()) return fallback;
  if (post.operands[i] < 0) return std::nullopt;
  const Argument& a = p.input(post.operands[i]);
  if (!a.present) return fallback;
  if (!a.constant || a.constant->size() != 1) return std::nullopt;
  return a.constant->at(0);
}

using Facts = std::optional<ActivationFacts>;
using FactsReader = Facts (*)(const Problem&, const ir::PostOp&);

Facts plain(const Problem&, const ir::PostOp& post) { return ActivationFacts{*plain_activation(post.op->name())}; }

Facts gelu(const Problem&, const ir::PostOp& post) {
  const std::string form = post.attributes.text("approximate", "none");
  if (form == "none") return ActivationFacts{Activation::kGeluErf};
  return form == "tanh" ? Facts(ActivationFacts{Activation::kGeluTanh}) : std::nullopt;
}

Facts swish(const Problem& p, const ir::PostOp& post) {
  return post.attributes.real("alpha", 1.0) == 1.0 ? plain(p, post) : std::nullopt;
}

Facts clip(const Problem& p, const ir::PostOp& post) {
  const auto low = scalar_operand(p, post, 1, -HUGE_VAL), high = scalar_operand(p, post, 2, HUGE_VAL);
  return low && high ? Facts(ActivationFacts{Activation::kClip, *low, *high}) : std::nullopt;
}

Facts p_relu(const Problem& p, const ir::PostOp& post) {
  const auto slope = scalar_operand(p, post, 1, NAN);
  return slope && !std::isnan(*slope) ? Facts(ActivationFacts{Activation::kLeakyRelu, *slope}) : std::nullopt;
}

// The operators that are activations of the kernels, in some or all of their forms.
const std::map<std::string_view, FactsReader>& activations() {
  static const std::map<std::string_view, FactsReader> kActivations = {
      {"Clip", clip},
      {"Elu",
       [](const Problem&, const ir::PostOp& post) -> Facts {
         return ActivationFacts{Activation::kElu, post.attributes.real("alpha", 1.0)};
       }},
      {"Gelu", gelu},
      {"HardSigmoid",
       [](const Problem&, const ir::PostOp& post) -> Facts {
         return ActivationFacts{Activation::kHardSigmoid, post.attributes.real("alpha", 0.2),
                                post.attributes.real("beta", 0.5)};
       }},
      {"HardSwish", plain},
      {"LeakyRelu",
       [](const Problem&, const ir::PostOp& post) -> Facts {
         return ActivationFacts{Activation::kLeakyRelu, post.attributes.real("alpha", 0.01)};
       }},
      {"PRelu", p_relu},
      {"Relu", plain},
      {"Sigmoid", plain},
      {"Silu", swish},
      {"Swish", swish},
      {"Tanh", plain},
  };
  return kActivations;
}

bool same_place(const Problem& p, int i) { return p.input(i).dtype == p.outputs[0].dtype && lies_like(p, i); }

Refusal add_activation(const Problem& p, const ir::PostOp& post, FusedEpilogue& e) {
  const auto facts = activation_of(p, post);
  if (!facts)
    return refuse("post-operation " + post.op->name() + to_string(post.attributes) +
                  " is no activation of the kernels");
  if (post.operands.empty() || post.operands[0] >= 0)
    return refuse("post-operation " + post.op->name() + " does not act on the result");
  if (e.parameters.activation != Activation::kNone)
    return refuse("post-operation " + post.op->name() + " is a second activation");
  if (e.parameters.residual_after) return refuse("post-operation " + post.op->name() + " follows the last sum");
  e.parameters.activation = facts->kind;
  e.parameters.alpha = static_cast<float>(facts->alpha);
  e.parameters.beta = static_cast<float>(facts->beta);
  return accept();
}

Refusal add_sum(const Problem& p, const ir::PostOp& post, int column_axis, FusedEpilogue& e) {
  const bool left = post.operands.size() == 2 && post.operands[0] < 0,
             right = post.operands.size() == 2 && post.operands[1] < 0;
  if (left == right) return refuse("post-operation Add does not add to the result once");
  const int operand = post.operands[left ? 1 : 0];
  const Argument &a = p.input(operand), &out = p.outputs[0];
  const bool activated = e.parameters.activation != Activation::kNone;
  if (!activated && runs_along(a, out, column_axis) && !(same_place(p, operand) && !a.constant)) {
    const Refusal r = add_bias(p, operand, column_axis, 1, e);
    if (!r.refused()) return r;
  }
  if (!same_place(p, operand))
    return refuse("post-operation Add has an operand " + to_string(a.opt) + " of layout " + to_string(a.layout) +
                  " for a result " + to_string(out.opt) + " of layout " + to_string(out.layout));
  if (e.residual_input >= 0) return refuse("post-operation Add is a second sum of tensors");
  e.residual_input = operand;
  e.parameters.residual_after = activated;
  return accept();
}

}  // namespace

std::optional<ActivationFacts> activation_of(const Problem& p, const ir::PostOp& post) {
  const auto at = activations().find(post.op->name());
  return at == activations().end() ? std::nullopt : at->second(p, post);
}

std::optional<Activation> plain_activation(std::string_view op) {
  static const std::map<std::string_view, Activation> kPlain = {
      {"HardSwish", Activation::kHardSwish}, {"Relu", Activation::kRelu},  {"Sigmoid", Activation::kSigmoid},
      {"Silu", Activation::kSilu},           {"Swish", Activation::kSilu}, {"Tanh", Activation::kTanh},
  };
  const auto at = kPlain.find(op);
  return at == kPlain.end() ? std::nullopt : std::optional(at->second);
}

bool runs_along(const Argument& a, const Argument& out, int column_axis) {
  if (!a.is_static || !a.ranked || a.opt.size() > out.opt.size()) return false;
  const size_t shift = out.opt.size() - a.opt.size();
  for (size_t i = 0; i < a.opt.size(); ++i)
    if (static_cast<int>(i + shift) != column_axis && a.opt[i] != 1) return false;
  return true;
}

bool has_shape_of_result(const Problem& p, int i) {
  const Argument &a = p.input(i), &out = p.outputs[0];
  const Shape &shape = p.node->input(i)->shape(), &wanted = p.node->output()->shape();
  if (shape.size() != wanted.size() || a.opt != out.opt) return false;
  for (size_t d = 0; d < shape.size(); ++d)
    if (!(shape[d] == wanted[d]) && !(a.is_fixed(d) && out.is_fixed(d))) return false;
  return true;
}

bool lies_like(const Problem& p, int i) {
  const Layout &a = p.input(i).layout, &out = p.outputs[0].layout;
  return p.input(i).ranked && has_shape_of_result(p, i) && (a == out || (a.is_row_major() && out.is_row_major()));
}

Refusal add_bias(const Problem& p, int i, int column_axis, double factor, FusedEpilogue& e) {
  const Argument &a = p.input(i), &out = p.outputs[0];
  const auto axis = static_cast<size_t>(column_axis);
  if (!a.present || factor == 0) return accept();
  // Kernels take float32; a constant of another type is converted.
  if (a.dtype != DType::kF32 && !(a.constant && is_float(a.dtype)))
    return refuse("the bias is " + std::string(name(a.dtype)));
  const int64_t columns = axis < out.opt.size() ? out.opt[axis] : 1;
  const int64_t elements = element_count(a.opt);
  if (!a.is_static || (elements != columns && elements != 1) || (axis < out.opt.size() && !out.is_fixed(axis)))
    return refuse("the bias has shape " + to_string(a.opt) + " for " + std::to_string(columns) + " columns");
  if (!a.constant) {
    if (e.has_bias() || factor != 1 || elements != columns)
      return refuse("the bias is not constant, and is scaled, repeated or not the only one");
    e.bias_input = i;
    return accept();
  }
  if (e.bias_input >= 0) return refuse("there are two biases, one of them not constant");
  e.bias.resize(static_cast<size_t>(columns), 0.0f);
  for (int64_t c = 0; c < columns; ++c)
    nth(e.bias, c) += static_cast<float>(factor * a.constant->at(elements == 1 ? 0 : c));
  return accept();
}

Refusal read_epilogue(const Problem& p, int column_axis, FusedEpilogue& e) {
  for (const ir::PostOp& post : p.post()) {
    const Refusal r = post.op->name() == "Add" ? add_sum(p, post, column_axis, e) : add_activation(p, post, e);
    if (r.refused()) return r;
  }
  return accept();
}

int add_constant(Emitted& emitted, Tensor tensor) {
  emitted.constants.push_back(std::move(tensor));
  return Emitted::from_constant(static_cast<int>(emitted.constants.size()) - 1);
}

void emit_epilogue_inputs(const FusedEpilogue& e, Emitted& emitted) {
  int bias = e.bias_input >= 0 ? e.bias_input : Emitted::kAbsent;
  if (!e.bias.empty()) bias = add_constant(emitted, Tensor::of<float>({static_cast<int64_t>(e.bias.size())}, e.bias));
  emitted.inputs.push_back(bias);
  emitted.inputs.push_back(e.residual_input >= 0 ? e.residual_input : Emitted::kAbsent);
}

passes::FusionLimits epilogue_limits(const TacticList& tactics) {
  passes::FusionLimits limits{.operators = tactics.ops(),
                              .bases = {"Conv", "ConvTranspose", "Gemm", "MatMul"},
                              .activations = {},
                              .sums = 1,
                              .sums_behind = true};
  for (const auto& [name, reader] : activations()) limits.activations.emplace(name);
  return limits;
}

}  // namespace kiln
