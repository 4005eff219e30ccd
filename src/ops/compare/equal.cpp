// Equal: a == b; strings byte by byte.
#include "base/index.h"
#include "ops/reference_math.h"
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {

namespace {
void equal_strings(RefCall& c) {
  const Tensor &a = c.input("a"), &b = c.input("b");
  auto out = c.output().as_mutable<bool>();
  if (out.empty()) return;
  const Dims& dims = c.output().dims();
  const Dims a_strides = broadcast_strides(a.dims(), dims), b_strides = broadcast_strides(b.dims(), dims);
  Dims index(dims.size(), 0);
  size_t position = 0;
  do {
    out[position++] = nth(a.string_values(), dot(index, a_strides)) == nth(b.string_values(), dot(index, b_strides));
  } while (advance(index, dims));
}

OpDef define() {
  constexpr TypeSet kTypes = kNumericTypes | kBoolType | DType::kString;
  OpDef def = pointwise("Equal", {{"a", kTypes}, {"b", kTypes, "a"}});
  auto numbers = def.reference_rule();
  return std::move(def)
      .scalar([](Expr a, Expr b) { return a == b; })
      .output_type(fixed_type(DType::kBool))
      .elements(elementwise([](std::span<const Dim> v) { return is_equal(v[0], v[1]); }))
      .reference([numbers](RefCall& c) { c.input("a").dtype() == DType::kString ? equal_strings(c) : numbers(c); });
}
}  // namespace

const OpDef equal_op = define();

}  // namespace kiln::ops
