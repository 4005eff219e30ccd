// Movements of elements that leave everything in its place.
#include <algorithm>
#include "base/index.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

bool all_positive_steps(const Node& n) {
  if (!n.input(4)) return true;
  const auto steps = known_ints(n.input(4));
  return steps && std::all_of(steps->begin(), steps->end(), [](int64_t s) { return s > 0; });
}

bool all_zero(const std::optional<Ints>& values) {
  return values && std::all_of(values->begin(), values->end(), [](int64_t v) { return v == 0; });
}

// Axes of length 1 may move: only the order of the others matters.
bool keeps_order(const Node& n) {
  const auto perm = permutation(n);
  if (!perm) return false;
  int64_t last = -1;
  for (int64_t axis : *perm) {
    if (nth(n.input(0)->shape(), axis) == Dim(1)) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

}  // namespace

const Rule remove_shuffle{
    .name = "remove_shuffle",
    .pattern = one_of({"Expand", "Flatten", "Pad", "Reshape", "Slice", "Squeeze", "Tile", "Transpose", "Unsqueeze"}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Node& n = m.root();
      if (!same_type(n.input(0), n.output())) return std::nullopt;
      if (n.is("Slice") && !all_positive_steps(n)) return decline("a step may be negative");
      if (n.is("Pad") && !all_zero(known_ints(n.input(1)))) return decline("it shifts elements");
      if (n.is("Transpose") && !keeps_order(n)) return std::nullopt;
      return forward(m, n.input(0));
    },
};

}  // namespace kiln::passes
