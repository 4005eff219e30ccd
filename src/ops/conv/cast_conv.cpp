// CastConv: a convolution of x, cast to the type of the weights. Made by targets whose kernels round what they read.
#include "ops/conv/window.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

void cast_conv_reference(RefCall& c) {
  const Attributes to{{"to", std::string(name(c.input("w").dtype()))}};
  std::vector<Datum> inputs = {evaluate(*find_op("Cast"), to, {c.datum(0)}, 1)[0], c.datum(1)};
  if (c.present("b")) inputs.push_back(c.datum(2));
  c.set_output(0, evaluate(*find_op("Conv"), c.shapes().attributes(), std::move(inputs), 1)[0]);
}

}  // namespace

const OpDef cast_conv = op("CastConv")
                            .input("x", kFloatTypes)
                            .input("w", kFloatTypes)
                            .optional_input("b", kFloatTypes, "w")
                            .attr("auto_pad", std::string("NOTSET"))
                            .attr("dilations", Ints{})
                            .attr("group", int64_t{1})
                            .attr("kernel_shape", Ints{})
                            .attr("pads", Ints{})
                            .attr("strides", Ints{})
                            .output("y", same_type("w"))
                            .shape(conv_shape)
                            .reference(cast_conv_reference)
                            .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
