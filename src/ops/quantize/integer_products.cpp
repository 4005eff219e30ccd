// Products of quantized tensors by the MatMul and Conv operators.
#include "ops/quantize/integer_products.h"

#include "base/error.h"
#include "ops/quantize/granularity.h"
#include "ops/reference_math.h"

namespace kiln::ops {
namespace {

const OpDef& existing(const char* name) {
  if (const OpDef* def = find_op(name)) return *def;
  throw Error(Code::kInternal, "there is no operator " + std::string(name));
}

}  // namespace

OutputShape shape_as(const char* op, ShapeCall& c, std::string_view a, std::string_view b) {
  std::vector<InputInfo> inputs;
  for (std::string_view name : {a, b}) {
    InputInfo info;
    info.present = true;
    info.type = c.info(name).type;
    info.type.tensor.dtype = DType::kF64;
    inputs.push_back(info);
  }
  const OpDef& def = existing(op);
  ShapeCall call(def, c.attributes(), inputs, op, 1);
  const TensorType type = def.infer(call).at(0).tensor;
  return type.ranked ? OutputShape(type.shape) : unranked();
}

Tensor centered(const Tensor& x, const Tensor& zero_point) {
  std::vector<double> values = doubles(x);
  if (zero_point.valid()) {
    const std::vector<double> zeros = broadcast_values(zero_point, x.dims());
    for (size_t i = 0; i < values.size(); ++i) values[i] -= zeros[i];
  }
  return Tensor::of<double>(x.dims(), values);
}

Tensor as_column(const Tensor& values) {
  return values.valid() && values.rank() == 1 && values.size() != 1 ? values.reshaped({values.size(), 1}) : values;
}

Tensor as_channels(const Tensor& values, int64_t rank) {
  if (!values.valid() || values.rank() != 1) return values;
  Dims dims(static_cast<size_t>(rank), 1);
  dims[0] = values.size();
  return values.reshaped(dims);
}

Tensor run_as(const char* op, RefCall& c, std::vector<Datum> inputs) {
  return evaluate(existing(op), c.shapes().attributes(), std::move(inputs), 1).at(0).tensor;
}

void store_wrapped(const Tensor& exact, Tensor& to) {
  for (int64_t i = 0; i < exact.size(); ++i) to.set_int(i, static_cast<int64_t>(exact.at(i)));
}

}  // namespace kiln::ops
