// What operators with squeeze-and-excite share.
#include "ops/pool/squeeze.h"

#include "ops/dim_checks.h"

namespace kiln::ops {

OpDef&& with_squeeze(OpDef&& op) {
  return std::move(op)
      .input("squeeze", kFloatTypes, "x")
      .optional_input("squeeze_bias", kFloatTypes, "x")
      .input("excite", kFloatTypes, "x")
      .optional_input("excite_bias", kFloatTypes, "x")
      .attr("squeeze_activation", std::string("Relu"))
      .attr("excite_activation", std::string("Sigmoid"))
      .attr("alpha", 0.2)  // of HardSigmoid
      .attr("beta", 0.5);
}

void require_squeeze(const ShapeCall& c, const Dim& channels) {
  for (const char* input : {"squeeze", "excite"}) require_rank(c, input, 4);
  const Shape &squeeze = c.dims("squeeze"), &excite = c.dims("excite");
  require_same(channels, squeeze[1], "channels of x and squeeze");
  require_same(channels, excite[0], "channels of x and excite");
  require_same(squeeze[0], excite[1], "channels between squeeze and excite");
  for (const Dim& one : {squeeze[2], squeeze[3], excite[2], excite[3]})
    require_same(one, 1, "kernel of squeeze or excite and 1");
  if (c.present("squeeze_bias")) require_vector(c, "squeeze_bias", squeeze[0]);
  if (c.present("excite_bias")) require_vector(c, "excite_bias", excite[0]);
}

Datum activated_by(const std::string& name, const Attributes& attributes, Datum x) {
  const OpDef* op = find_op(name);
  if (!op || !op->is_pointwise())
    throw Error(Code::kInvalidArgument, "a fused operator has the activation '" + name + "'")
        .remedy("name a pointwise operator of one operand");
  return evaluate(*op, attributes, {std::move(x)}, 1)[0];
}

Datum squeeze_factors(const RefCall& c, Datum image, int first) {
  const OpDef& convolution = *find_op("Conv");
  const auto input = [&](int i) { return c.present(first + i) ? c.datum(first + i) : Datum(Tensor()); };
  Datum v = evaluate(*find_op("GlobalAveragePool"), {}, {std::move(image)}, 1)[0];
  v = evaluate(convolution, {}, {v, input(0), input(1)}, 1)[0];
  v = activated_by(c.text("squeeze_activation"), {}, v);
  v = evaluate(convolution, {}, {v, input(2), input(3)}, 1)[0];
  const std::string gate = c.text("excite_activation");
  Attributes line;
  if (gate == "HardSigmoid") line = {{"alpha", c.real("alpha")}, {"beta", c.real("beta")}};
  return activated_by(gate, line, v);
}

}  // namespace kiln::ops
