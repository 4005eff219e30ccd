// DequantizeLinear: (x - x_zero_point) * x_scale, in float32, as `output_dtype` or the type of x_scale.
#include "base/error.h"
#include "ops/quantize/granularity.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

constexpr TypeSet kDequantizedTypes =
    TypeSet{DType::kI8,       DType::kU8,         DType::kI16,    DType::kU16,       DType::kI32,
            DType::kF8E4M3FN, DType::kF8E4M3FNUZ, DType::kF8E5M2, DType::kF8E5M2FNUZ} |
    kSubByteTypes;

DType real_type(const ShapeCall& c) {
  const std::string asked = c.text("output_dtype");
  const auto type = asked.empty() ? c.dtype("x_scale") : dtype_from_name(asked);
  if (!type || !kFloatTypes.has(*type))
    throw Error(Code::kTypeMismatch,
                "DequantizeLinear cannot give " + (type ? std::string(name(*type)) : "'" + asked + "'"))
        .remedy("set output_dtype to float32, float16 or bfloat16");
  return *type;
}

void dequantize_reference(RefCall& c) {
  const std::vector<double> x = doubles(c.input("x"));
  const Dims& dims = c.input("x").dims();
  const int64_t axis = c.integer("axis"), block_size = c.integer("block_size");
  const auto scales = spread(c.input("x_scale"), dims, axis, block_size);
  const auto zeros = c.present("x_zero_point") ? spread(c.input("x_zero_point"), dims, axis, block_size)
                                               : std::vector<double>(x.size(), 0);
  std::vector<double> y(x.size());
  for (size_t i = 0; i < x.size(); ++i) y[i] = static_cast<float>(x[i] - zeros[i]) * static_cast<float>(scales[i]);
  store(c.output(), y);
}

}  // namespace

const OpDef dequantize_linear = op("DequantizeLinear")
                                    .input("x", kDequantizedTypes)
                                    .input("x_scale", kFloatTypes | DType::kF8E8M0)
                                    .optional_input("x_zero_point", kDequantizedTypes, "x")
                                    .attr("axis", int64_t{1})
                                    .attr("block_size", int64_t{0})
                                    .attr("output_dtype", std::string(""))
                                    .output("y", computed_type(real_type))
                                    .shape([](ShapeCall& c) {
                                      check_granularity(c, "x", "x_scale");
                                      check_granularity(c, "x", "x_zero_point");
                                      return OutputShape(c.dims("x"));
                                    })
                                    .reference(dequantize_reference);

}  // namespace kiln::ops
