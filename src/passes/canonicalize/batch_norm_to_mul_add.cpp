// Batch normalisation in inference is a factor and a summand per channel, unless it can go into the weights before it.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule batch_norm_to_mul_add{
    .name = "batch_norm_to_mul_add",
    .pattern = node("BatchNormalization", {any("x"), constant(), constant(), constant(), constant()}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Value* x = m.value("x");
      const auto line = batch_norm_line(m.root());
      if (!line) return decline("it is training");
      if (!x->ranked() || x->rank() < 2) return decline("the rank is not known");
      const auto product = foldable_product(x);
      if (product && product->channel_axis == 1) return decline("it goes into weights");
      Dims dims(static_cast<size_t>(x->rank() - 1), 1);
      dims[0] = static_cast<int64_t>(line->factors.size());
      Patch p(m);
      const PatchValue scaled = p.add("Mul", {x, p.constant(tensor_of(x->dtype(), dims, line->factors))});
      p.replace(m.root().output(), p.add("Add", {scaled, p.constant(tensor_of(x->dtype(), dims, line->summands))}));
      return p;
    },
};

}  // namespace kiln::passes
