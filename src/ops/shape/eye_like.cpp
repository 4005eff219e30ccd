// EyeLike: ones on diagonal k of a matrix as large as the input, zeros elsewhere.
#include "base/error.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape eye_shape(ShapeCall& c) {
  if (c.rank("input") != 2)
    throw Error(Code::kShapeMismatch, "EyeLike of " + to_string(c.dims("input"))).cause("it takes a matrix");
  return c.dims("input");
}

void eye_reference(RefCall& c) {
  const int64_t rows = c.output().dims()[0], columns = c.output().dims()[1], k = c.integer("k");
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t column = row + k;
    if (column >= 0 && column < columns) c.output().set(row * columns + column, 1.0);
  }
}

}  // namespace

// dtype: the element type of the result; that of the input when empty.
const OpDef eye_like =
    op("EyeLike")
        .input("input", kNumericTypes | kBoolType)
        .attr("dtype", std::string(""))
        .attr("k", int64_t{0})
        .output("output",
                computed_type([](const ShapeCall& c) { return c.attributes().dtype("dtype", c.dtype("input")); }))
        .shape(eye_shape)
        .reference(eye_reference);

}  // namespace kiln::ops
