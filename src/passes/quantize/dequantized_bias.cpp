// A constant of int32 that is dequantized is a bias: numbers, unless a convolution reads it, whose sums it may join.
#include <algorithm>

#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule dequantized_bias{
    .name = "dequantized_bias",
    .pattern = node("Dequantize", {constant("integers")}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      if (m.constant("integers")->dtype() != DType::kI32) return std::nullopt;
      const auto& uses = m.root().output()->uses();
      if (std::any_of(uses.begin(), uses.end(),
                      [](const ir::Use& use) { return use.node->is("Conv") && use.input == 2; }))
        return decline("a convolution reads it");
      return folded(m);
    },
};

}  // namespace kiln::passes
