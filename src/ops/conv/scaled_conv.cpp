// ScaledConv: a convolution with w of x times the factors [n,c,1,1] for each channel of each image. Made by fusion.
#include "ops/conv/window.h"
#include "ops/dim_checks.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape scaled_conv_shape(ShapeCall& c) {
  for (const char* input : {"x", "factors"}) require_rank(c, input, 4);
  const Shape &x = c.dims("x"), &factors = c.dims("factors");
  require_same(x[0], factors[0], "images of x and factors");
  require_same(x[1], factors[1], "channels of x and factors");
  for (const Dim& one : {factors[2], factors[3]}) require_same(one, 1, "pixels of factors and 1");
  return conv_shape(c);
}

void scaled_conv_reference(RefCall& c) {
  std::vector<Datum> inputs = {evaluate(*find_op("Mul"), {}, {c.datum(0), c.datum(3)}, 1)[0], c.datum(1)};
  if (c.present("b")) inputs.push_back(c.datum(2));
  c.set_output(0, evaluate(*find_op("Conv"), c.shapes().attributes(), std::move(inputs), 1)[0]);
}

}  // namespace

const OpDef scaled_conv = op("ScaledConv")
                              .input("x", kFloatTypes)
                              .input("w", kFloatTypes, "x")
                              .optional_input("b", kFloatTypes, "x")
                              .input("factors", kFloatTypes, "x")
                              .attr("auto_pad", std::string("NOTSET"))
                              .attr("dilations", Ints{})
                              .attr("group", int64_t{1})
                              .attr("kernel_shape", Ints{})
                              .attr("pads", Ints{})
                              .attr("strides", Ints{})
                              .output("y", same_type("x"))
                              .shape(scaled_conv_shape)
                              .reference(scaled_conv_reference)
                              .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
