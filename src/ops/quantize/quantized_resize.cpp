// QuantizedResize: (x - x_zero_point) * x_scale in float32, resized by weights, quantized. Kiln's own; made of Dequantize, Resize and
// Quantize.
#include "ops/quantize/granularity.h"
#include "ops/quantize/through_numbers.h"
#include "ops/registry.h"
#include "ops/resize/resizing.h"

namespace kiln::ops {
namespace {

constexpr TypeSet kResizedBytes{DType::kI8, DType::kU8};

DType resized_type(const ShapeCall& c) { return c.attributes().dtype("to"); }

OutputShape quantized_resize_shape(ShapeCall& c) {
  check_one(c, {"x_scale", "y_scale", "x_zero_point", "y_zero_point"});
  return resize_shape(c);
}

void quantized_resize_reference(RefCall& c) {
  through_numbers(c, [&](Datum x) {
    std::vector<Datum> inputs{std::move(x)};
    for (const char* name : {"roi", "scales", "sizes"}) inputs.emplace_back(c.present(name) ? c.input(name) : Tensor());
    return evaluated("Resize", attributes_without(c, {"to"}), std::move(inputs));
  });
}

}  // namespace

const OpDef quantized_resize = op("QuantizedResize")
                                   .input("x", kResizedBytes)
                                   .optional_input("roi", TypeSet{DType::kF16, DType::kF32, DType::kF64})
                                   .optional_input("scales", DType::kF32)
                                   .optional_input("sizes", DType::kI64)
                                   .input("x_scale", {DType::kF32})
                                   .input("y_scale", {DType::kF32})
                                   .optional_input("x_zero_point", kResizedBytes, "x")
                                   .optional_input("y_zero_point", kResizedBytes)
                                   .attr("antialias", int64_t{0})
                                   .attr("axes", Ints{})
                                   .attr("coordinate_transformation_mode", std::string("half_pixel"))
                                   .attr("cubic_coeff_a", -0.75)
                                   .attr("exclude_outside", int64_t{0})
                                   .attr("extrapolation_value", 0.0)
                                   .attr("keep_aspect_ratio_policy", std::string("stretch"))
                                   .required_attr("mode", std::string())
                                   .attr("nearest_mode", std::string("round_prefer_floor"))
                                   .required_attr("to", std::string())
                                   .output("y", computed_type(resized_type))
                                   .shape(quantized_resize_shape)
                                   .reference(quantized_resize_reference);

}  // namespace kiln::ops
