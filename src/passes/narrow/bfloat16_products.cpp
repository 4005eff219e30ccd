// A matrix product of float32 by a constant matrix takes bfloat16 and sums in float32: what a build may do that is allowed this type.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule bfloat16_products{
    .name = "bfloat16_products",
    .pattern = node("MatMul", {any("a"), constant("b")}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Value *a = m.value("a"), *b = m.value("b");
      if (m.root().output()->dtype() != DType::kF32) return decline("it is no product of float32");
      if (!a->ranked() || a->rank() < 2 || b->rank() != 2) return decline("it is no product by a matrix");
      if (m.root().precision == DType::kF32) return decline("it is to compute in float32");
      Patch p(m);
      p.replace(m.root().output(),
                p.add("MatMulBfloat16", {m.value("a"), p.constant(b->constant()->cast(DType::kBF16), b->name())}));
      return p;
    },
};

}  // namespace kiln::passes
