// Reshape: the same elements in a new shape; 0 copies a dimension (unless allowzero), -1 takes what remains.
#include "base/error.h"
#include "ops/movement.h"
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {
namespace {

[[noreturn]] void mismatch(ShapeCall& c, const Shape& to) {
  throw Error(Code::kShapeMismatch, "Reshape of " + to_string(c.dims("data")) + " to " + to_string(to))
      .cause("the numbers of elements differ")
      .remedy("mend the shape input of the node");
}

// The dimension that -1 stands for: elements of `data` not taken by the other dimensions. Copied dimensions cancel.
Dim remaining(ShapeCall& c, const Shape& wanted, const std::vector<bool>& copied) {
  const Shape& from = c.dims("data");
  Dim total = 1, taken = 1;
  for (size_t i = 0; i < from.size(); ++i)
    if (i >= copied.size() || !copied[i]) total = total * from[i];
  for (size_t i = 0; i < wanted.size(); ++i)
    if (!copied[i] && !(wanted[i] == Dim(-1))) taken = taken * wanted[i];
  if (taken == Dim(0)) {
    throw Error(Code::kShapeMismatch, "Reshape to " + to_string(wanted))
        .cause("-1 beside a dimension of zero has no single meaning");
  }
  if (total.is_constant() && taken.is_constant() && total.value() % taken.value() != 0) mismatch(c, wanted);
  return floor_div(total, taken);
}

// The one dimension that only running can tell, whatever its element is: it takes what remains.
Dim rest(ShapeCall& c, Shape wanted, const std::vector<bool>& copied, size_t at) {
  wanted[at] = -1;
  Dim taken = 1;
  for (size_t i = 0; i < wanted.size(); ++i)
    if (i != at) taken = taken * wanted[i];
  return is_positive(taken) ? remaining(c, wanted, copied) : c.unknown_dim(0, static_cast<int>(at));
}

OutputShape reshape_shape(ShapeCall& c) {
  auto wanted = partial_elements(c, "shape");
  if (!wanted) {
    auto rank = static_length(c, "shape");
    return rank ? OutputShape(c.unknown_shape(0, *rank)) : unranked();
  }
  const Shape& from = c.dims("data");
  const bool allow_zero = c.integer("allowzero") != 0;
  std::vector<bool> copied(wanted->size(), false);
  Shape to = *wanted;
  std::optional<size_t> open;
  std::vector<size_t> unknown;
  for (size_t i = 0; i < to.size(); ++i) {
    if (is_unknown_element(to[i])) {
      unknown.push_back(i);
    } else if (to[i] == Dim(0) && !allow_zero) {
      if (i >= from.size())
        throw Error(Code::kShapeMismatch, "Reshape copies dimension " + std::to_string(i) + " of " + to_string(from));
      to[i] = from[i];
      copied[i] = true;
    } else if (to[i] == Dim(-1)) {
      if (open) throw Error(Code::kShapeMismatch, "Reshape to " + to_string(to)).cause("more than one dimension is -1");
      open = i;
    } else if (to[i].is_constant() && to[i].value() < 0) {
      throw Error(Code::kShapeMismatch, "Reshape to " + to_string(to)).cause("a dimension is negative");
    }
  }
  if (open && !unknown.empty()) unknown.push_back(*open);
  else if (unknown.size() == 1) to[unknown[0]] = rest(c, to, copied, unknown[0]);
  else if (open) to[*open] = remaining(c, to, copied);
  for (size_t i : unknown)
    if (unknown.size() > 1) to[i] = c.unknown_dim(0, static_cast<int>(i));
  const Dim before = element_count(from), after = element_count(to);
  if (before.is_constant() && after.is_constant() && !(before == after)) mismatch(c, to);
  return to;
}

}  // namespace

const OpDef reshape = op("Reshape")
                          .input("data", kAnyType)
                          .input("shape", DType::kI64)
                          .attr("allowzero", int64_t{0})
                          .output("reshaped", same_type("data"))
                          .shape(reshape_shape)
                          .elements(same_elements("data"))
                          .reference([](RefCall& c) { copy_all(c.input("data"), c.output()); });

}  // namespace kiln::ops
