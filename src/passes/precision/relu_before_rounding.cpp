// Relu of what was rounded to float16 or bfloat16: the same as rounding after it, and a post-operation of what made the float32.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule relu_before_rounding{
    .name = "relu_before_rounding",
    .pattern = node("Relu", {once(node("Cast"))}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& cast = m["Cast"];
      const DType to = cast.output()->dtype();
      if (cast.input(0)->dtype() != DType::kF32 || (to != DType::kF16 && to != DType::kBF16)) return std::nullopt;
      Patch p(m);
      const PatchValue relu = p.add("Relu", {cast.input(0)});
      p.replace(m.root().output(), p.add("Cast", {relu}, {{"to", std::string(name(to))}}));
      return p;
    },
};

}  // namespace kiln::passes
