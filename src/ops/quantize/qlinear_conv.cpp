// QLinearConv: convolution of quantized x and w with an int32 bias, quantized again. w_scale and w_zero_point: one, or one for each
// output channel.
#include "ops/dim_checks.h"
#include "ops/quantize/granularity.h"
#include "ops/quantize/integer_products.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

void qlinear_conv_reference(RefCall& c) {
  const Tensor &x = c.input("x"), &w = c.input("w");
  std::vector<Datum> inputs = {centered(x, c.input("x_zero_point")),
                               centered(w, as_channels(c.input("w_zero_point"), w.rank()))};
  if (c.present("bias")) inputs.push_back(c.input("bias").cast(DType::kF64));
  const std::vector<double> sums = doubles(run_as("Conv", c, std::move(inputs)));
  const auto w_scale = doubles(c.input("w_scale"));
  const double x_scale = c.input("x_scale").at(0), y_scale = c.input("y_scale").at(0),
               zero = c.input("y_zero_point").at(0);
  Tensor& y = c.output();
  const auto channels = static_cast<size_t>(y.dims()[1]),
             inner = static_cast<size_t>(product(y.dims(), 2, y.dims().size()));
  for (size_t i = 0; i < sums.size(); ++i) {
    const double scale = rounded_to(DType::kF32, x_scale * w_scale[w_scale.size() == 1 ? 0 : i / inner % channels]);
    store_quantized(y, static_cast<int64_t>(i), sums[i] * rounded_to(DType::kF32, scale / y_scale), zero);
  }
}

}  // namespace

const OpDef qlinear_conv = op("QLinearConv")
                               .input("x", {DType::kI8, DType::kU8})
                               .input("x_scale", DType::kF32)
                               .input("x_zero_point", {DType::kI8, DType::kU8}, "x")
                               .input("w", {DType::kI8, DType::kU8})
                               .input("w_scale", DType::kF32)
                               .input("w_zero_point", {DType::kI8, DType::kU8}, "w")
                               .input("y_scale", DType::kF32)
                               .input("y_zero_point", {DType::kI8, DType::kU8})
                               .optional_input("bias", DType::kI32)
                               .attr("auto_pad", std::string("NOTSET"))
                               .attr("dilations", Ints())
                               .attr("group", int64_t{1})
                               .attr("kernel_shape", Ints())
                               .attr("pads", Ints())
                               .attr("strides", Ints())
                               .output("y", same_type("y_zero_point"))
                               .shape([](ShapeCall& c) {
                                 OutputShape y = shape_as("Conv", c, "x", "w");
                                 check_one(c, {"x_scale", "x_zero_point", "y_scale", "y_zero_point"});
                                 const Dim& channels = c.dims("w")[0];
                                 check_one_or_each(c, {"w_scale", "w_zero_point"}, channels, "output channels");
                                 if (c.present("bias")) require_vector(c, "bias", channels);
                                 return y;
                               })
                               .reference(qlinear_conv_reference)
                               .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
