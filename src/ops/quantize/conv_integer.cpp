// ConvInteger: convolution of (x - x_zero_point) with (w - w_zero_point) in int32; padding has the value of the zero point.
// w_zero_point: one, or one for each output channel. That x may have 16 bits is Kiln's own.
#include "ops/quantize/granularity.h"
#include "ops/quantize/integer_products.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

constexpr TypeSet kFactors{DType::kI8, DType::kU8, DType::kI16, DType::kU16};

}  // namespace

const OpDef conv_integer = op("ConvInteger")
                               .input("x", kFactors)
                               .input("w", {DType::kI8, DType::kU8})
                               .optional_input("x_zero_point", kFactors, "x")
                               .optional_input("w_zero_point", {DType::kI8, DType::kU8}, "w")
                               .attr("auto_pad", std::string("NOTSET"))
                               .attr("dilations", Ints())
                               .attr("group", int64_t{1})
                               .attr("kernel_shape", Ints())
                               .attr("pads", Ints())
                               .attr("strides", Ints())
                               .output("y", fixed_type(DType::kI32))
                               .shape([](ShapeCall& c) {
                                 OutputShape y = shape_as("Conv", c, "x", "w");
                                 check_one(c, {"x_zero_point"});
                                 check_one_or_each(c, {"w_zero_point"}, c.dims("w")[0], "output channels");
                                 return y;
                               })
                               .reference([](RefCall& c) {
                                 const Tensor x = centered(c.input("x"), c.input("x_zero_point"));
                                 const Tensor w =
                                     centered(c.input("w"), as_channels(c.input("w_zero_point"), c.input("w").rank()));
                                 store_wrapped(run_as("Conv", c, {x, w}), c.output());
                               });

}  // namespace kiln::ops
