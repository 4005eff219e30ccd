// A small integer tensor whose elements follow from the shapes of its inputs becomes a constant.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule known_elements{
    .name = "known_elements",
    .pattern = one_of({}).with_post_ops(),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Value* v = m.root().output();
      if (m.root().outputs().size() != 1 || v->is_graph_output()) return std::nullopt;
      const auto known = known_ints(v);
      if (!known || !is_static(v->shape())) return std::nullopt;
      Tensor t = Tensor::allocate(v->dtype(), static_dims(v->shape()));
      for (size_t i = 0; i < known->size(); ++i) t.set_int(static_cast<int64_t>(i), (*known)[i]);
      Patch p(m);
      p.replace(v, p.constant(std::move(t), v->name()));
      return p;
    },
};

}  // namespace kiln::passes
