// SqueezeExcite: x times the factors of squeeze-and-excite for each channel of each image. Made by fusion.
#include "ops/dim_checks.h"
#include "ops/pool/squeeze.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape squeeze_excite_shape(ShapeCall& c) {
  require_rank(c, "x", 4);
  require_squeeze(c, c.dims("x")[1]);
  return c.dims("x");
}

void squeeze_excite_reference(RefCall& c) {
  if (c.output().size() == 0) return;
  c.set_output(0, evaluate(*find_op("Mul"), {}, {c.datum(0), squeeze_factors(c, c.datum(0), 1)}, 1)[0]);
}

}  // namespace

const OpDef squeeze_excite = with_squeeze(op("SqueezeExcite").input("x", kFloatTypes))
                                 .output("y", same_type("x"))
                                 .shape(squeeze_excite_shape)
                                 .reference(squeeze_excite_reference)
                                 .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
