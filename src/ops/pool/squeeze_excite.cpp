// SqueezeExcite: x times a factor for each channel of each image, which two 1x1 convolutions make of the mean of its pixels: with the
// weights `squeeze` [s,c,1,1] and `excite` [c,s,1,1], each followed by its activation (Hu et al. 2017, arXiv:1709.01507). Made by fusion.
#include "ops/dim_checks.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape squeeze_excite_shape(ShapeCall& c) {
  for (const char* input : {"x", "squeeze", "excite"}) require_rank(c, input, 4);
  const Shape &x = c.dims("x"), &squeeze = c.dims("squeeze"), &excite = c.dims("excite");
  require_same(x[1], squeeze[1], "channels of x and squeeze");
  require_same(x[1], excite[0], "channels of x and excite");
  require_same(squeeze[0], excite[1], "channels between squeeze and excite");
  for (const Dim& one : {squeeze[2], squeeze[3], excite[2], excite[3]})
    require_same(one, 1, "kernel of squeeze or excite and 1");
  if (c.present("squeeze_bias")) require_vector(c, "squeeze_bias", squeeze[0]);
  if (c.present("excite_bias")) require_vector(c, "excite_bias", excite[0]);
  return x;
}

Datum activated_by(const std::string& name, const Attributes& attributes, Datum x) {
  const OpDef* op = find_op(name);
  if (!op || !op->is_pointwise())
    throw Error(Code::kInvalidArgument, "SqueezeExcite has the activation '" + name + "'")
        .remedy("name a pointwise operator of one operand");
  return evaluate(*op, attributes, {std::move(x)}, 1)[0];
}

void squeeze_excite_reference(RefCall& c) {
  if (c.output().size() == 0) return;
  const OpDef& convolution = *find_op("Conv");
  const auto bias = [&](const char* name, int i) { return c.present(name) ? c.datum(i) : Datum(Tensor()); };
  Datum v = evaluate(*find_op("GlobalAveragePool"), {}, {c.datum(0)}, 1)[0];
  v = evaluate(convolution, {}, {v, c.datum(1), bias("squeeze_bias", 2)}, 1)[0];
  v = activated_by(c.text("squeeze_activation"), {}, v);
  v = evaluate(convolution, {}, {v, c.datum(3), bias("excite_bias", 4)}, 1)[0];
  const std::string gate = c.text("excite_activation");
  Attributes line;
  if (gate == "HardSigmoid") line = {{"alpha", c.real("alpha")}, {"beta", c.real("beta")}};
  c.set_output(0, evaluate(*find_op("Mul"), {}, {c.datum(0), activated_by(gate, line, v)}, 1)[0]);
}

}  // namespace

const OpDef squeeze_excite = op("SqueezeExcite")
                                 .input("x", kFloatTypes)
                                 .input("squeeze", kFloatTypes, "x")
                                 .optional_input("squeeze_bias", kFloatTypes, "x")
                                 .input("excite", kFloatTypes, "x")
                                 .optional_input("excite_bias", kFloatTypes, "x")
                                 .attr("squeeze_activation", std::string("Relu"))
                                 .attr("excite_activation", std::string("Sigmoid"))
                                 .attr("alpha", 0.2)  // of HardSigmoid
                                 .attr("beta", 0.5)
                                 .output("y", same_type("x"))
                                 .shape(squeeze_excite_shape)
                                 .reference(squeeze_excite_reference)
                                 .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
