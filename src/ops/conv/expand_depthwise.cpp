// ExpandDepthwise: a 1x1 convolution with the weights `expand` [m,c,1,1], its activation, and a convolution of each of the m results
// alone with `w` [m,1,kernel...]: how an inverted residual block begins (Sandler et al. 2018, arXiv:1801.04381). Made by fusion.
#include "ops/conv/window.h"
#include "ops/dim_checks.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape expand_shape(ShapeCall& c) {
  for (const char* input : {"x", "expand", "w"}) require_rank(c, input, 4);
  const Shape &x = c.dims("x"), &expand = c.dims("expand"), &w = c.dims("w");
  require_same(x[1], expand[1], "channels of x and expand");
  require_same(expand[0], w[0], "channels of expand and w");
  for (const Dim& one : {expand[2], expand[3], w[1]}) require_same(one, 1, "kernel of expand, channels of w and 1");
  if (c.present("expand_bias")) require_vector(c, "expand_bias", w[0]);
  if (c.present("b")) require_vector(c, "b", w[0]);
  const Window window = window_of(c, spatial_dims(x), spatial_dims(w), false);
  return Shape{x[0], w[0], window.output[0], window.output[1]};
}

Datum activated(const RefCall& c, Datum x) {
  const std::string name = c.text("activation");
  if (name.empty()) return x;
  const OpDef* op = find_op(name);
  if (!op || !op->is_pointwise())
    throw Error(Code::kInvalidArgument, "ExpandDepthwise has the activation '" + name + "'")
        .remedy("name a pointwise operator of one operand, or Clip");
  std::vector<Datum> inputs = {x};
  if (name == "Clip") {
    for (const char* bound : {"low", "high"}) {
      Tensor scalar = Tensor::allocate(x.tensor.dtype(), {});
      scalar.set(0, c.real(bound));
      inputs.emplace_back(scalar);
    }
  }
  return evaluate(*op, {}, inputs, 1)[0];
}

void expand_reference(RefCall& c) {
  const OpDef& convolution = *find_op("Conv");
  Attributes window{{"group", c.input("w").dims()[0]}, {"auto_pad", c.text("auto_pad")}};
  for (const char* name : {"pads", "strides", "dilations"})
    if (!c.ints(name).empty()) window.set(name, c.ints(name));
  const Datum wide = evaluate(convolution, {}, {c.datum(0), c.datum(1), c.datum(2)}, 1)[0];
  std::vector<Datum> inputs = {activated(c, wide), c.datum(3)};
  if (c.present("b")) inputs.push_back(c.datum(4));
  c.set_output(0, evaluate(convolution, window, inputs, 1)[0]);
}

}  // namespace

const OpDef expand_depthwise = op("ExpandDepthwise")
                                   .input("x", kFloatTypes)
                                   .input("expand", kFloatTypes, "x")
                                   .optional_input("expand_bias", kFloatTypes, "x")
                                   .input("w", kFloatTypes, "x")
                                   .optional_input("b", kFloatTypes, "x")
                                   .attr("activation", std::string())
                                   .attr("low", double{0})
                                   .attr("high", double{0})
                                   .attr("auto_pad", std::string("NOTSET"))
                                   .attr("dilations", Ints{})
                                   .attr("pads", Ints{})
                                   .attr("strides", Ints{})
                                   .output("y", same_type("x"))
                                   .shape(expand_shape)
                                   .reference(expand_reference)
                                   .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
