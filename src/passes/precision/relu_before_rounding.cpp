// Relu of what was rounded to float16 or bfloat16, and Clip of it between numbers of the type: the same as rounding after it, and a
// post-operation of what made the float32.
#include "passes/precision/half_numbers.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

bool is_bound(const Value* v) { return !v || (v->constant() && v->constant()->size() == 1); }

PatchValue wide_bound(Patch& p, const Value* v) {
  return v ? p.constant(v->constant()->cast(DType::kF32)) : PatchValue();
}

}  // namespace

const Rule relu_before_rounding{
    .name = "relu_before_rounding",
    .pattern = one_of({"Clip", "Relu"}, {once(node("Cast"))}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node &cast = m["Cast"], &root = m.root();
      const DType to = cast.output()->dtype();
      if (cast.input(0)->dtype() != DType::kF32 || !is_half(to)) return std::nullopt;
      Patch p(m);
      std::vector<PatchValue> inputs{cast.input(0)};
      for (size_t i = 1; i < root.inputs().size(); ++i) {
        if (!is_bound(root.inputs()[i])) return decline("a bound is no constant number");
        inputs.push_back(wide_bound(p, root.inputs()[i]));
      }
      const PatchValue limited = p.add(root.op_name(), std::move(inputs));
      p.stand_for_root(limited);
      p.replace(root.output(), p.add("Cast", {limited}, {{"to", std::string(name(to))}}));
      return p;
    },
};

}  // namespace kiln::passes
