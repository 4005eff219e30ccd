// A triangle of matrices of known sizes is a choice between their elements and zeros.
#include "base/index.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

constexpr int64_t kMostKept = int64_t{1} << 24;

}  // namespace

const Rule trilu_to_where{
    .name = "trilu_to_where",
    .pattern = one_of({"Trilu"}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Node& n = m.root();
      Value* x = n.input(0);
      const auto k = n.input(1) ? known_ints(n.input(1)) : Ints{0};
      if (!x->ranked() || x->rank() < 2 || !k || k->size() != 1)
        return decline("the rank or the diagonal is not known");
      const Dim &rows = nth(x->shape(), x->rank() - 2), &columns = x->shape().back();
      if (!rows.is_constant() || !columns.is_constant()) return decline("the sizes are not known");
      const auto places = checked_element_count({rows.value(), columns.value()});
      if (!places || *places == 0 || *places > kMostKept) return decline("the matrices are empty or too large");
      const bool upper = integer(n, "upper") != 0;
      Tensor kept = Tensor::allocate(DType::kBool, {rows.value(), columns.value()});
      for (int64_t i = 0; i < *places; ++i) {
        const int64_t row = i / columns.value(), column = i % columns.value();
        kept.set_int(i, upper ? column - row >= k->front() : column - row <= k->front());
      }
      Patch p(m);
      p.replace(n.output(),
                p.add("Where", {p.constant(std::move(kept)), x, p.constant(Tensor::allocate(x->dtype(), {}))}));
      return p;
    },
    .replaces = "Trilu",
};

}  // namespace kiln::passes
