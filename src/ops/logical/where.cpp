// Where: the element of x where the condition holds, else that of y.
#include "ops/reference_math.h"
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {

namespace {
void choose(RefCall& c) {
  Tensor& out = c.output();
  if (out.size() == 0) return;
  const Tensor &condition = c.input("condition"), &x = c.input("x"), &y = c.input("y");
  const Dims &dims = out.dims(), strides = broadcast_strides(condition.dims(), dims);
  const Dims x_strides = broadcast_strides(x.dims(), dims), y_strides = broadcast_strides(y.dims(), dims);
  Dims index(dims.size(), 0);
  int64_t position = 0;
  do {
    if (condition.int_at(dot(index, strides))) copy_elements(x, dot(index, x_strides), out, position++, 1);
    else copy_elements(y, dot(index, y_strides), out, position++, 1);
  } while (advance(index, dims));
}

std::optional<Dim> chosen(std::span<const Dim> v) {
  if (v[1] == v[2]) return v[1];
  if (!v[0].is_constant()) return std::nullopt;
  return v[0].value() ? v[1] : v[2];
}
}  // namespace

const OpDef where_op =
    pointwise("Where", {{"condition", kBoolType}, {"x", kAnyType}, {"y", kAnyType, "x"}})
        .output_type(same_type("x"))
        .scalar_n([](std::span<const Expr> in, const Attributes&) { return select(in[0], in[1], in[2]); })
        .elements(elementwise(chosen))
        .reference(choose);

}  // namespace kiln::ops
