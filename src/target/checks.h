// Questions that many tactics ask of a problem.
#pragma once
#include <optional>

#include "target/target.h"

namespace kiln {

// Why a tactic without post-operations on plain (not blocked) tensors of whole bytes cannot take the problem.
inline Refusal needs_plain(const Problem& p) {
  if (!p.post().empty()) return refuse("it has post-operations");
  for (const auto* list : {&p.inputs, &p.outputs})
    for (const Argument& a : *list) {
      if (!a.present) continue;
      if (!a.layout.is_plain()) return refuse("an operand has the blocked layout " + to_string(a.layout));
      if (!a.ranked) return refuse("the rank of an operand is not known");
      if (bits(a.dtype) == 0 || bits(a.dtype) % 8 != 0)
        return refuse(std::string("elements of type ") + std::string(name(a.dtype)));
    }
  return accept();
}

inline Refusal needs_row_major(const Problem& p) {
  for (const auto* list : {&p.inputs, &p.outputs})
    for (const Argument& a : *list)
      if (a.present && !a.layout.is_row_major()) return refuse("an operand has the layout " + to_string(a.layout));
  return accept();
}

// Elements of an integer input when they are numbers that do not depend on dimensions.
inline std::optional<Ints> known_ints(const Problem& p, int input) {
  if (!p.input(input).present) return std::nullopt;
  if (const Tensor* t = p.input(input).constant) return t->to_ints();
  const auto& elements = p.node->input(input)->elements();
  if (!elements) return std::nullopt;
  Ints values;
  for (const Dim& d : *elements) {
    if (!d.is_constant()) return std::nullopt;
    values.push_back(d.value());
  }
  return values;
}

inline int64_t rank(const Argument& a) { return static_cast<int64_t>(a.opt.size()); }
inline int64_t axis_of(const Problem& p, const char* attribute, int64_t fallback, int64_t rank) {
  return normalize_axis(p.attributes().integer(attribute, fallback), rank);
}

// The inputs named, where present, have one element for each of a row of x: of its axes from attribute `axis` on.
Refusal needs_row_vectors(const Problem& p, std::initializer_list<int> inputs);

// As many integers as an operator has of them; `fallback` for each where the attribute holds another number.
inline Ints integers_of(const Attributes& a, std::string_view attribute, size_t count, int64_t fallback) {
  Ints values = a.ints(attribute, {});
  if (values.size() != count) values.assign(count, fallback);
  return values;
}

// All inputs of the problem in order, absent ones as such.
inline std::vector<int> all_inputs(const Problem& p) {
  std::vector<int> result;
  for (size_t i = 0; i < p.inputs.size(); ++i)
    result.push_back(p.inputs[i].present ? static_cast<int>(i) : Emitted::kAbsent);
  return result;
}
// The same for a kernel that has `count` inputs.
inline std::vector<int> all_inputs(const Problem& p, size_t count) {
  std::vector<int> result = all_inputs(p);
  result.resize(count, Emitted::kAbsent);
  return result;
}

}  // namespace kiln
