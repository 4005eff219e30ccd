// What only moves or chooses elements does so with the integers; they are dequantized after it.
#include <algorithm>

#include "base/index.h"
#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"

namespace kiln::passes {
namespace {

constexpr std::string_view kMoving[] = {"Concat",  "DepthToSpace", "Expand",    "Flatten",      "Gather",
                                        "MaxPool", "Reshape",      "Slice",     "SpaceToDepth", "Split",
                                        "Squeeze", "Tile",         "Transpose", "Unsqueeze"};

bool moves(const Node& n) {
  return std::count(std::begin(kMoving), std::end(kMoving), n.op_name()) > 0 || is_nearest_resize(n) || pads_zeros(n);
}

// Integers and numbers must have one order, or zeros must be what zero points stand for.
bool needs_sound_scale(const Node& n) { return n.is("MaxPool") || n.is("Pad"); }

bool has_form_for(const Node& n, DType type) {
  const InputDef* def = n.op().input_def(0);
  return def && def->types.has(type);
}

bool has_one_result(const Node& n) {
  return n.is("Split") || n.outputs().size() == 1;  // the positions of maxima are no moved elements
}

// All inputs are dequantized alike.
std::optional<std::vector<PatchValue>> joined_integers(const Node& concat, const Dequantized& first) {
  std::vector<PatchValue> integers;
  for (const Value* v : concat.inputs()) {
    const auto part = dequantized(v);
    if (!part || part->integers->dtype() != first.integers->dtype() || !same_parameters(part->scale, first.scale) ||
        !same_zero_points(part->zero_point, first.zero_point))
      return std::nullopt;
    integers.push_back(part->integers);
  }
  return integers;
}

// The parameter as it lies after the permutation; nothing when it is neither one number nor a constant.
std::optional<PatchValue> permuted(Patch& p, Value* parameter, const Ints& perm) {
  const Tensor* t = parameter->constant();
  if (!t || t->rank() > static_cast<int64_t>(perm.size())) return std::nullopt;
  if (t->size() == 1) return parameter;
  Dims dims(perm.size(), 1), moved;
  std::copy(t->dims().begin(), t->dims().end(), dims.end() - t->rank());
  if (*std::max_element(dims.begin(), dims.end()) != t->size()) return std::nullopt;  // it varies along several axes
  for (int64_t axis : perm) moved.push_back(nth(dims, axis));
  return p.constant(t->reshaped(moved), parameter->name());
}

// Scale and zero point after the node; nothing when they do not stay what they are.
std::optional<std::vector<PatchValue>> moved_parameters(Patch& p, const Node& n, const Dequantized& from) {
  std::vector<PatchValue> parameters;
  for (Value* v : {from.scale, from.zero_point}) {
    if (!v) continue;
    if (n.is("Transpose")) {
      const auto perm = permutation(n);
      const auto moved = perm ? permuted(p, v, *perm) : std::nullopt;
      if (!moved) return std::nullopt;
      parameters.push_back(*moved);
    } else {
      if (!v->constant() || v->constant()->size() != 1) return std::nullopt;
      parameters.push_back(v->rank() == 0 ? PatchValue(v) : p.constant(v->constant()->reshaped({}), v->name()));
    }
  }
  return parameters;
}

}  // namespace

const Rule dequantize_forward{
    .name = "dequantize_forward",
    .pattern = one_of({}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& n = m.root();
      if (!moves(n) || n.inputs().empty()) return std::nullopt;
      const auto from = dequantized(n.input(0));
      if (!from) return std::nullopt;
      if (!has_form_for(n, from->integers->dtype())) return decline("the operator has no form for these integers");
      if (!has_one_result(n)) return decline("another result is used");
      if ((n.is("Gather") || n.is("Pad") || n.is("Resize")) && bits(from->integers->dtype()) < 8)
        return decline("the integers are smaller than bytes");
      if (n.is("MaxPool") && bits(from->integers->dtype()) != 8) return decline("the integers are not bytes");
      if (needs_sound_scale(n) && !one_scale(from->scale)) return decline("the scale is not sound");
      Patch p(m);
      std::vector<PatchValue> inputs(n.inputs().begin(), n.inputs().end());
      if (n.is("Concat")) {
        const auto integers = joined_integers(n, *from);
        if (!integers) return decline("the inputs are not dequantized alike");
        inputs = *integers;
      }
      inputs[0] = from->integers;
      const auto parameters = moved_parameters(p, n, *from);
      if (!parameters) return decline("scale or zero point are not one constant");
      if (n.is("Pad")) inputs = padded_integers(p, n, from->integers, from->zero_point);
      const PatchValue moved =
          p.add(n.op_name(), std::move(inputs), n.attributes, static_cast<int>(n.outputs().size()));
      for (size_t i = 0; i < n.outputs().size(); ++i) {
        std::vector<PatchValue> operands{moved.result(static_cast<int>(i))};
        operands.insert(operands.end(), parameters->begin(), parameters->end());
        p.replace(n.outputs()[i], p.add("Dequantize", std::move(operands)));
      }
      return p;
    },
};

}  // namespace kiln::passes
