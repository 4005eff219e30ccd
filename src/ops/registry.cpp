// The list of all operators, from the families' lists.
#include <algorithm>

#include "ops/op.h"
#include "ops/registry.h"

namespace kiln {

const std::vector<const OpDef*>& all_ops() {
  static const std::vector<const OpDef*> sorted = [] {
    std::vector<const OpDef*> list = {
#define KILN_OP(word) &ops::word,
#include "ops/families.inc"
#undef KILN_OP
    };
    std::sort(list.begin(), list.end(), [](const OpDef* a, const OpDef* b) { return a->name() < b->name(); });
    return list;
  }();
  return sorted;
}

const OpDef* find_op(std::string_view name) {
  const auto& list = all_ops();
  auto it = std::lower_bound(list.begin(), list.end(), name,
                             [](const OpDef* a, std::string_view n) { return a->name() < n; });
  return it != list.end() && (*it)->name() == name ? *it : nullptr;
}

}  // namespace kiln
