// Operators that pass their only input through: Identity, Dropout in inference, sums and concatenations of one.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule remove_identity{
    .name = "remove_identity",
    .pattern = one_of({"Concat", "Dropout", "Identity", "Max", "Mean", "Min", "Sum"}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Node& n = m.root();
      if (n.is("Dropout")) {
        const Value* training = n.input(2);
        if (training && !(uniform(training) == 0.0)) return decline("it may be training");
      } else if (n.inputs().size() != 1) {
        return std::nullopt;
      }
      return forward(m, n.input(0));
    },
};

}  // namespace kiln::passes
