// StringConcat: the strings of two tensors, one behind the other; broadcasts.
#include "base/index.h"
#include "ops/broadcasting.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

void join_strings(RefCall& c) {
  const Tensor &x = c.input("X"), &y = c.input("Y");
  auto& out = c.output().mutable_string_values();
  if (out.empty()) return;
  const Dims& dims = c.output().dims();
  const Dims x_strides = broadcast_strides(x.dims(), dims), y_strides = broadcast_strides(y.dims(), dims);
  Dims index(dims.size(), 0);
  size_t position = 0;
  do {
    out[position++] = nth(x.string_values(), dot(index, x_strides)) + nth(y.string_values(), dot(index, y_strides));
  } while (advance(index, dims));
}

}  // namespace

const OpDef string_concat = op("StringConcat")
                                .input("X", DType::kString)
                                .input("Y", DType::kString)
                                .output("Z", same_type("X"))
                                .shape([](ShapeCall& c) { return broadcast_shapes(c.dims("X"), c.dims("Y")); })
                                .reference(join_strings);

}  // namespace kiln::ops
