// Box suppression with room for all that may be selected, and the rows that are, for devices whose kernels cannot say how large a result is.
#include <algorithm>

#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

constexpr int64_t kMostSelected = 1024;  // of a class: they are found one after the other

}  // namespace

const Rule suppress_boxes{
    .name = "suppress_boxes",
    .pattern = node("NonMaxSuppression", {any("boxes"), any("scores")}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& n = m.root();
      const Value* scores = n.input(1);
      const auto input = [&](int i) { return i < n.base_input_count() ? n.input(i) : nullptr; };
      const auto limit = input(2) ? known_ints(input(2)) : std::nullopt;
      if (!limit || limit->size() != 1) return decline("how many boxes are selected is known only at run time");
      if (!scores->ranked() || scores->rank() != 3) return decline("the scores have no three axes");
      int64_t most = (*limit)[0];
      if (const Dim& boxes = scores->shape()[2]; boxes.is_constant()) most = std::min(most, boxes.value());
      if (most <= 0) return decline("no box is selected");
      if (most > kMostSelected) return decline(std::to_string(most) + " boxes of a class are found faster on the host");
      Attributes attributes = n.attributes;
      attributes.set("most", most);
      Patch p(m);
      const PatchValue rows =
          p.add("SuppressBoxes", {m.value("boxes"), m.value("scores"), input(3), input(4)}, std::move(attributes), 2);
      const auto zero = [&] { return p.constant(Tensor::of<int64_t>({1}, {0})); };
      p.replace(n.output(), p.add("Slice", {rows, zero(), rows.result(1), zero()}));
      return p;
    },
    .makes = "SuppressBoxes",
};

}  // namespace kiln::passes
