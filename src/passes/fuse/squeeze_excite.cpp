// What squeeze-and-excite does to an image, from the mean of its pixels to their product with the factors, becomes one operation.
#include "passes/squeeze.h"

#include "passes/rule_lists.h"

namespace kiln::passes {

const Rule squeeze_excite{
    .name = "squeeze_excite",
    .pattern = squeeze_excite_pattern(),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      auto attributes = squeeze_attributes(m);
      if (!attributes) return std::nullopt;
      Patch p(m);
      std::vector<PatchValue> inputs = squeeze_inputs(m);
      inputs.insert(inputs.begin(), m.value("x"));
      p.replace(m.root().output(), p.add("SqueezeExcite", std::move(inputs), std::move(*attributes)));
      return p;
    },
    .makes = "SqueezeExcite",
    .stage = 2,
};

}  // namespace kiln::passes
