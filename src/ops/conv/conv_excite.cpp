// ConvExcite: a convolution of x with w, its activation, and the factors [n,m,1,1] that squeeze-and-excite makes of the result. Made by
// fusion.
#include "ops/conv/window.h"
#include "ops/dim_checks.h"
#include "ops/pool/squeeze.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

std::vector<OutputShape> conv_excite_shapes(ShapeCall& c) {
  require_rank(c, "x", 4);
  const Shape y = conv_shape(c).shape;
  require_squeeze(c, y[1]);
  return {y, Shape{y[0], y[1], 1, 1}};
}

void conv_excite_reference(RefCall& c) {
  Attributes window;
  for (const char* name : {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"})
    if (const Attribute* value = c.shapes().attributes().find(name)) window.set(name, *value);
  std::vector<Datum> inputs = {c.datum(0), c.datum(1)};
  if (c.present("b")) inputs.push_back(c.datum(2));
  Datum y = evaluate(*find_op("Conv"), window, std::move(inputs), 1)[0];
  if (const std::string name = c.text("activation"); !name.empty()) y = activated_by(name, {}, y);
  c.set_output(0, y);
  if (c.wants(1) && c.output(1).size() > 0) c.set_output(1, squeeze_factors(c, y, 3));
}

}  // namespace

const OpDef conv_excite =
    with_squeeze(
        op("ConvExcite").input("x", kFloatTypes).input("w", kFloatTypes, "x").optional_input("b", kFloatTypes, "x"))
        .attr("activation", std::string())
        .attr("auto_pad", std::string("NOTSET"))
        .attr("dilations", Ints{})
        .attr("group", int64_t{1})
        .attr("kernel_shape", Ints{})
        .attr("pads", Ints{})
        .attr("strides", Ints{})
        .output("y", same_type("x"))
        .output("factors", same_type("x"))
        .shapes(conv_excite_shapes)
        .reference(conv_excite_reference)
        .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
