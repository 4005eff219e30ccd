// OneHot is a choice between two values, by comparing indices with all positions: as given, and counted from the end.
#include <numeric>

#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

constexpr int64_t kMostPositions = int64_t{1} << 20;

// From `first` on, along the axis that `behind` axes follow.
Tensor positions(DType type, int64_t first, int64_t count, int64_t behind) {
  Dims dims(static_cast<size_t>(behind) + 1, 1);
  dims[0] = count;
  Tensor t = Tensor::allocate(type, dims);
  for (int64_t i = 0; i < count; ++i) t.set_int(i, first + i);
  return t;
}

}  // namespace

const Rule one_hot_to_where{
    .name = "one_hot_to_where",
    .pattern = node("OneHot", {any("indices"), constant("depth"), constant("values")}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Node& n = m.root();
      Value* indices = m.value("indices");
      const Tensor& values = *m.value("values")->constant();
      const auto depth = known_ints(m.value("depth"));
      if (indices->dtype() != DType::kI32 && indices->dtype() != DType::kI64)
        return decline("indices are " + std::string(name(indices->dtype())));
      if (!indices->ranked() || !depth || depth->size() != 1 || values.size() != 2)
        return decline("the rank or the depth is not known");
      const int64_t count = depth->front(), rank = indices->rank(), axis = normalize_axis(integer(n, "axis"), rank + 1);
      if (count < 1 || count > kMostPositions) return decline("the depth is " + std::to_string(count));
      Patch p(m);
      const PatchValue x = p.add("Unsqueeze", {indices, p.constant(Tensor::of<int64_t>({1}, {axis}))});
      const auto equals = [&](int64_t first) {
        return p.add("Equal", {x, p.constant(positions(indices->dtype(), first, count, rank - axis))});
      };
      const auto choice = [&](int64_t i) {
        Tensor t = Tensor::allocate(values.dtype(), {});
        copy_elements(values, i, t, 0, 1);
        return p.constant(std::move(t));
      };
      p.replace(n.output(), p.add("Where", {p.add("Or", {equals(0), equals(-count)}), choice(1), choice(0)}));
      return p;
    },
    .replaces = "OneHot",
};

}  // namespace kiln::passes
