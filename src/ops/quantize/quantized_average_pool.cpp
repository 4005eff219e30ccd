// QuantizedAveragePool: means of windows of (x - x_zero_point) * x_scale in float32, times `factor`, quantized. Kiln's own; made of
// Dequantize, AveragePool (with `global`: GlobalAveragePool), Mul and Quantize.
#include "ops/pool/pooling.h"
#include "ops/quantize/granularity.h"
#include "ops/quantize/through_numbers.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

constexpr TypeSet kBytes{DType::kI8, DType::kU8};

DType result_type(const ShapeCall& c) { return c.attributes().dtype("to"); }

OutputShape mean_shape(ShapeCall& c) {
  check_one(c, {"x_scale", "y_scale", "x_zero_point", "y_zero_point", "factor"});
  return c.integer("global") != 0 ? global_pool_shape(c) : pool_shape(c);
}

void quantized_average_pool_reference(RefCall& c) {
  through_numbers(c, [&](Datum x) {
    Datum mean = c.integer("global") != 0
                     ? evaluated("GlobalAveragePool", {}, {std::move(x)})
                     : evaluated("AveragePool", attributes_without(c, {"to", "global"}), {std::move(x)});
    if (c.present("factor")) mean = evaluated("Mul", {}, {std::move(mean), c.input("factor").reshaped({})});
    return mean;
  });
}

}  // namespace

const OpDef quantized_average_pool = op("QuantizedAveragePool")
                                         .input("x", kBytes)
                                         .input("x_scale", {DType::kF32})
                                         .input("y_scale", {DType::kF32})
                                         .optional_input("x_zero_point", kBytes, "x")
                                         .optional_input("y_zero_point", kBytes)
                                         .optional_input("factor", {DType::kF32})
                                         .attr("auto_pad", std::string("NOTSET"))
                                         .attr("ceil_mode", int64_t{0})
                                         .attr("count_include_pad", int64_t{0})
                                         .attr("dilations", Ints{})
                                         .attr("global", int64_t{0})
                                         .attr("kernel_shape", Ints{})
                                         .attr("pads", Ints{})
                                         .attr("strides", Ints{})
                                         .required_attr("to", std::string())
                                         .output("y", computed_type(result_type))
                                         .shape(mean_shape)
                                         .reference(quantized_average_pool_reference);

}  // namespace kiln::ops
