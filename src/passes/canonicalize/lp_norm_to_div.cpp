// Division by a norm along an axis; where the norm is 0 the elements are 0 and stay so.
#include <limits>

#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule lp_norm_to_div{
    .name = "lp_norm_to_div",
    .pattern = node("LpNormalization", {any("x")}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Node& n = m.root();
      Value* x = m.value("x");
      if (x->dtype() != DType::kF32) return decline("the least number above 0 differs in its type");
      Patch p(m);
      const PatchValue axis = p.constant(Tensor::of<int64_t>({1}, {integer(n, "axis")}));
      const PatchValue norm = p.add(integer(n, "p") == 1 ? "ReduceL1" : "ReduceL2", {x, axis});
      const PatchValue least = p.constant(Tensor::scalar(std::numeric_limits<float>::denorm_min()));
      p.replace(n.output(), p.add("Div", {x, p.add("Max", {norm, least})}));
      return p;
    },
};

}  // namespace kiln::passes
