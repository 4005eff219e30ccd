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

const OpDef quantized_resize = with_resizing(op("QuantizedResize").input("x", kResizedBytes))
                                   .input("x_scale", {DType::kF32})
                                   .input("y_scale", {DType::kF32})
                                   .optional_input("x_zero_point", kResizedBytes, "x")
                                   .optional_input("y_zero_point", kResizedBytes)
                                   .required_attr("mode", std::string())
                                   .required_attr("to", std::string())
                                   .output("y", computed_type(resized_type))
                                   .shape(quantized_resize_shape)
                                   .reference(quantized_resize_reference);

}  // namespace kiln::ops
