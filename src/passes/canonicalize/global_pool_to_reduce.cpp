// The maximum and the norms of whole channels are reductions over the spatial axes.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule global_pool_to_reduce{
    .name = "global_pool_to_reduce",
    .pattern = one_of({"GlobalMaxPool", "GlobalLpPool"}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Node& n = m.root();
      Value* x = n.input(0);
      if (!x->ranked() || x->rank() < 3) return decline("the rank is not known");
      const bool max = n.is("GlobalMaxPool");
      const int64_t order = max ? 0 : integer(n, "p");
      if (!max && order != 1 && order != 2) return decline("it is a norm of another order");
      std::vector<int64_t> axes;
      for (int64_t i = 2; i < x->rank(); ++i) axes.push_back(i);
      Patch p(m);
      p.replace(n.output(), p.add(max          ? "ReduceMax"
                                  : order == 1 ? "ReduceL1"
                                               : "ReduceL2",
                                  {x, p.constant(Tensor::of<int64_t>({x->rank() - 2}, axes))}));
      return p;
    },
};

}  // namespace kiln::passes
