// x + 0, x - 0, x * 1, x / 1 and x ** 1 are x.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule neutral_arithmetic{
    .name = "neutral_arithmetic",
    .pattern = one_of({"Add", "Div", "Mul", "Pow", "Sub"}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Node& n = m.root();
      const double neutral = n.is("Add") || n.is("Sub") ? 0 : 1;
      for (int i = ir::is_commutative(n.op_name()) ? 0 : 1; i < 2; ++i)
        if (uniform(n.input(i)) == neutral && same_type(n.input(1 - i), n.output())) return forward(m, n.input(1 - i));
      return std::nullopt;
    },
};

}  // namespace kiln::passes
