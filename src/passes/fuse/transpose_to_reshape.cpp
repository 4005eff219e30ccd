// A transposition that moves no element is a Reshape: the axes of more than one element stay in their order.
#include "base/index.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule transpose_to_reshape{
    .name = "transpose_to_reshape",
    .pattern = node("Transpose", {any("x")}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const auto perm = permutation(m.root());
      if (!perm || !m.root().post.empty()) return std::nullopt;
      const Shape& shape = m.value("x")->shape();
      int64_t last = -1;
      for (int64_t axis : *perm) {
        if (nth(shape, axis) == Dim(1)) continue;
        if (axis < last) return std::nullopt;
        last = axis;
      }
      const auto target = reshape_target(shape, m.root().output()->shape());
      if (!target) return decline("a shape is not known when building");
      Patch p(m);
      p.replace(m.root().output(), p.add("Reshape", {m.value("x"), p.constant(*target)}));
      return p;
    },
    .stage = 3,
};

}  // namespace kiln::passes
