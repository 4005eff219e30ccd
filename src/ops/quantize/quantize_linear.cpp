// QuantizeLinear: saturate(round(x / y_scale) + y_zero_point). The division is done in `precision`, or in the type of y_scale.
#include "base/error.h"
#include "ops/quantize/granularity.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

constexpr TypeSet kQuantizedTypes = TypeSet{DType::kI8,       DType::kU8,         DType::kI16,    DType::kU16,
                                            DType::kF8E4M3FN, DType::kF8E4M3FNUZ, DType::kF8E5M2, DType::kF8E5M2FNUZ} |
                                    kSubByteTypes;

DType named_type(const std::string& text) {
  const auto type = dtype_from_name(text);
  if (!type) throw Error(Code::kTypeMismatch, "'" + text + "' is not an element type");
  return *type;
}

DType quantized_type(const ShapeCall& c) {
  const std::string asked = c.text("output_dtype");
  DType type = asked.empty() ? DType::kU8 : named_type(asked);
  if (c.present("y_zero_point")) {
    if (!asked.empty() && c.dtype("y_zero_point") != type)
      throw Error(Code::kTypeMismatch, "QuantizeLinear has output_dtype " + asked + " and a zero point of " +
                                           std::string(name(c.dtype("y_zero_point"))))
          .remedy("leave one of them out");
    type = c.dtype("y_zero_point");
  }
  if (!kQuantizedTypes.has(type))
    throw Error(Code::kTypeMismatch, "QuantizeLinear cannot give " + std::string(name(type)));
  return type;
}

// int32 and float8e8m0 are too coarse to divide in.
DType division_type(RefCall& c) {
  if (const std::string asked = c.text("precision"); !asked.empty()) return named_type(asked);
  const DType type = c.input("y_scale").dtype();
  return type == DType::kI32 ? DType::kF64 : type == DType::kF8E8M0 ? DType::kF32 : type;
}

void quantize_reference(RefCall& c) {
  const std::vector<double> x = doubles(c.input("x"));
  const Dims& dims = c.input("x").dims();
  const int64_t axis = c.integer("axis"), block_size = c.integer("block_size");
  const auto scales = spread(c.input("y_scale"), dims, axis, block_size);
  const auto zeros = c.present("y_zero_point") ? spread(c.input("y_zero_point"), dims, axis, block_size)
                                               : std::vector<double>(x.size(), 0);
  const DType precision = division_type(c);
  const bool saturate = c.integer("saturate") != 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double quotient = rounded_to(precision, rounded_to(precision, x[i]) / rounded_to(precision, scales[i]));
    store_quantized(c.output(), static_cast<int64_t>(i), quotient, zeros[i], saturate);
  }
}

}  // namespace

const OpDef quantize_linear = op("QuantizeLinear")
                                  .input("x", kFloatTypes | DType::kI32)
                                  .input("y_scale", kFloatTypes | DType::kF8E8M0 | DType::kI32)
                                  .optional_input("y_zero_point", kQuantizedTypes)
                                  .attr("axis", int64_t{1})
                                  .attr("block_size", int64_t{0})
                                  .attr("output_dtype", std::string(""))
                                  .attr("precision", std::string(""))
                                  .attr("saturate", int64_t{1})
                                  .output("y", computed_type(quantized_type))
                                  .shape([](ShapeCall& c) {
                                    check_granularity(c, "x", "y_scale");
                                    check_granularity(c, "x", "y_zero_point");
                                    return OutputShape(c.dims("x"));
                                  })
                                  .reference(quantize_reference);

}  // namespace kiln::ops
