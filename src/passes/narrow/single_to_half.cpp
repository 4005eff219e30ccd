// An operator on float32 computes on float16 or bfloat16, between casts: what a build may do that is allowed these types.
#include <algorithm>

#include "passes/narrow/overflow.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

bool is_single(const Value* v) { return v && v->is_tensor() && v->dtype() == DType::kF32; }

// What a pointwise node made of a constant that overflows, as masks of attention are, stays finite: a row of infinities has no softmax.
PatchValue narrow_operand(Patch& p, Value* v, DType type) {
  const PatchValue cast = p.add("Cast", {v}, {{"to", std::string(name(type))}});
  const Node* maker = v->producer();
  if (!maker || !maker->op().is_pointwise() || !overflowing_constant(*maker, type)) return cast;
  const auto bound = [&](double x) { return p.constant(tensor_of(type, {}, {x})); };
  return p.add("Clip", {cast, bound(-kLargestHalf), bound(kLargestHalf)});
}

// `asked`: only of nodes whose precision it is.
Rule single_to(DType type, bool asked = false) {
  return {
      .name = (asked ? "asked_to_" : "single_to_") + std::string(name(type)),
      .pattern = one_of({}),
      .rewrite = [type, asked](const Match& m) -> std::optional<Patch> {
        const Node& n = m.root();
        if (n.is("Cast") || !n.regions.empty() || !n.op().deterministic()) return std::nullopt;
        if (asked && n.precision != type) return std::nullopt;
        if (n.precision != DType::kInvalid && n.precision != type)
          return decline("it is to compute in " + std::string(kiln::name(n.precision)));
        if (std::none_of(n.outputs().begin(), n.outputs().end(), is_single)) return std::nullopt;
        if (const Value* v = overflowing_constant(n, type))
          return decline("the constant '" + v->name() + "' overflows " + std::string(kiln::name(type)));
        Patch p(m);
        std::vector<PatchValue> inputs;
        bool narrowed = false;
        for (size_t i = 0; i < n.inputs().size(); ++i) {
          Value* v = n.inputs()[i];
          const bool narrow = may_narrow(n, i, type);
          narrowed |= narrow;
          inputs.push_back(narrow ? narrow_operand(p, v, type) : PatchValue(v));
        }
        if (!narrowed) return std::nullopt;
        const PatchValue made =
            p.add(n.op_name(), std::move(inputs), n.attributes, static_cast<int>(n.outputs().size()));
        p.stand_for_root(made);
        for (size_t i = 0; i < n.outputs().size(); ++i) {
          Value* v = n.outputs()[i];
          if (v->uses().empty() && !v->is_graph_output()) continue;
          const PatchValue r = made.result(static_cast<int>(i));
          p.replace(v, is_single(v) ? p.add("Cast", {r}, {{"to", std::string("float32")}}) : r);
        }
        return p;
      },
  };
}

}  // namespace

const Rule single_to_float16 = single_to(DType::kF16);
const Rule single_to_bfloat16 = single_to(DType::kBF16);
const Rule asked_to_bfloat16 = single_to(DType::kBF16, true);

}  // namespace kiln::passes
