// Constant: a constant of the graph.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

Tensor floats(const Floats& values, Dims dims) {
  Tensor t = Tensor::allocate(DType::kF32, std::move(dims));
  for (size_t i = 0; i < values.size(); ++i) t.set(static_cast<int64_t>(i), values[i]);
  return t;
}

template <class List> Dims line(const List& values) { return {static_cast<int64_t>(values.size())}; }

Tensor value(const NodeImport& n) {
  if (n.has_attr("value")) return n.tensor("value");
  if (n.has_attr("sparse_value")) return n.tensor("sparse_value");
  if (n.has_attr("value_float")) return floats({n.real("value_float", 0)}, {});
  if (n.has_attr("value_floats")) return floats(n.reals("value_floats"), line(n.reals("value_floats")));
  if (n.has_attr("value_int")) return Tensor::scalar<int64_t>(n.integer("value_int"));
  if (n.has_attr("value_ints")) return Tensor::of<int64_t>(line(n.ints("value_ints")), n.ints("value_ints"));
  if (n.has_attr("value_string")) return Tensor::strings({}, {n.text("value_string")});
  if (n.has_attr("value_strings")) return Tensor::strings(line(n.texts("value_strings")), n.texts("value_strings"));
  n.invalid("the constant has no value");
}

}  // namespace

const OnnxOp constant{"Constant", {{1, [](NodeImport& n) { n.yield({n.constant_result(value(n))}); }}}};

}  // namespace kiln::onnx::ops
