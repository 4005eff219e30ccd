// Quantize of what only moves elements comes before the move: bytes are moved, and the product before it may store them.
#include <algorithm>

#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"

namespace kiln::passes {
namespace {

constexpr int kMostSteps = 8;  // that are followed

// Numbers that are none, which the largest of a window may be, are not among these.
bool holds_numbers(const Value* v) {
  for (int i = 0; i < kMostSteps; ++i) {
    if (const auto from = dequantized(v)) return one_scale(from->scale).has_value();
    const Node* n = v->producer();
    if (!n || !n->post.empty() || !(n->is("Relu") || n->is("MaxPool") || n->is("Clip"))) return false;
    for (int bound : {1, 2})
      if (n->is("Clip") && n->input(bound) && !uniform(n->input(bound))) return false;
    v = n->input(0);
  }
  return false;
}

// Quantization keeps the order of numbers, so the largest of them becomes the largest of the bytes.
bool chooses_largest(const Node& n) { return n.is("MaxPool") && holds_numbers(n.input(0)); }

// Whether the result has no axis that is shorter.
bool loses_nothing(const Node& n) {
  const Value *x = n.input(0), *y = n.output();
  if (!x->ranked() || !y->ranked()) return false;
  return std::equal(x->shape().begin(), x->shape().end(), y->shape().begin(), [](const Dim& before, const Dim& after) {
    return before == after || (before.constant() && after.constant() && *after.constant() >= *before.constant());
  });
}

// What is joined, padded or enlarged; where a part is taken, more would be quantized than is read.
bool keeps_all(const Node& n) {
  return n.is("Concat") || ((pads_zeros(n) || is_nearest_resize(n)) && loses_nothing(n));
}

bool moves(const Node& n) {
  if (!n.post.empty() || n.outputs().size() != 1) return false;
  return reorders(n) || keeps_all(n) || chooses_largest(n);
}

}  // namespace

const Rule quantize_backward{
    .name = "quantize_backward",
    .pattern = node("Quantize", {once(one_of({}).as("move"))}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node &n = m.root(), &move = m["move"];
      if (!moves(move)) return std::nullopt;
      if (!move.op().input_def(0)->types.has(n.output()->dtype()))
        return decline("the operator has no form for these integers");
      if ((move.is("MaxPool") || move.is("Pad")) && !one_scale(n.input(1))) return decline("the scale is not sound");
      Patch p(m);
      p.set_name(move.name());
      std::vector<PatchValue> parameters;
      for (Value* v : {n.input(1), n.input(2)}) {
        if (!v) continue;
        if (!v->constant() || v->constant()->size() != 1) return decline("scale or zero point are not one constant");
        parameters.push_back(v->rank() == 0 ? PatchValue(v) : p.constant(v->constant()->reshaped({}), v->name()));
      }
      std::vector<PatchValue> inputs(move.inputs().begin(), move.inputs().end());
      for (size_t i = 0; i < (move.is("Concat") ? inputs.size() : 1); ++i) {
        std::vector<PatchValue> operands{inputs[i]};
        operands.insert(operands.end(), parameters.begin(), parameters.end());
        inputs[i] = p.add("Quantize", std::move(operands), n.attributes);
      }
      if (move.is("Pad")) inputs = padded_integers(p, move, inputs[0], n.input(2));
      p.replace(n.output(), p.add(move.op_name(), std::move(inputs), move.attributes));
      return p;
    },
};

}  // namespace kiln::passes
