// An operator that computes on float16 or bfloat16, and the maximum pooling of bytes beyond volumes, computes in float32, between casts.
#include <algorithm>

#include "passes/precision/half_numbers.h"
#include "passes/rule_lists.h"

namespace kiln::passes {
namespace {

// Exact operators that compare, and need numbers for it; the other exact ones only move elements.
constexpr std::string_view kComparing[] = {"ArgMax",     "ArgMin",    "GlobalMaxPool", "Hardmax", "MaxPool",
                                           "MaxRoiPool", "ReduceMax", "ReduceMin",     "TopK"};

bool is_narrow(const Node& n, const Value* v) {
  if (!v || !v->is_tensor()) return false;
  if (is_half(v->dtype())) return true;
  const bool byte = v->dtype() == DType::kI8 || v->dtype() == DType::kU8;
  return byte && n.is("MaxPool") && (!v->ranked() || v->rank() > 5 || n.outputs().size() > 1);
}

bool reads_narrow(const Node& n) {
  return std::any_of(n.inputs().begin(), n.inputs().end(), [&](const Value* v) { return is_narrow(n, v); });
}

}  // namespace

bool computes(const Node& n) {
  if (n.op().is_pointwise() || !n.regions.empty() || !n.op().deterministic()) return false;
  if (n.is("ScatterElements") || n.is("ScatterND")) return n.attributes.text("reduction", "none") != "none";
  return n.op().accuracy() != Accuracy::kExact || std::count(std::begin(kComparing), std::end(kComparing), n.op_name());
}

const Rule half_to_single{
    .name = "half_to_single",
    .pattern = one_of({}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& n = m.root();
      if (!computes(n) || !reads_narrow(n)) return std::nullopt;
      Patch p(m);
      std::vector<PatchValue> inputs;
      for (size_t i = 0; i < n.inputs().size(); ++i) {
        Value* v = n.inputs()[i];
        const InputDef* def = n.op().input_def(static_cast<int>(i));
        if (is_narrow(n, v) && (!def || !def->types.has(DType::kF32)))
          return decline("the operator has no form for float32");
        inputs.push_back(is_narrow(n, v) ? p.add("Cast", {v}, {{"to", std::string("float32")}}) : PatchValue(v));
      }
      const PatchValue made = p.add(n.op_name(), std::move(inputs), n.attributes, static_cast<int>(n.outputs().size()));
      p.stand_for_root(made);
      for (size_t i = 0; i < n.outputs().size(); ++i) {
        Value* v = n.outputs()[i];
        if (v->uses().empty() && !v->is_graph_output()) continue;
        const PatchValue r = made.result(static_cast<int>(i));
        p.replace(v, is_narrow(n, v) ? p.add("Cast", {r}, {{"to", std::string(name(v->dtype()))}}) : r);
      }
      return p;
    },
};

}  // namespace kiln::passes
