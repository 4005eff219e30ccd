// Cast: the elements as type `to`. Strings read and print as numbers; `saturate` and `round_mode` concern float8 alone.
#include "ops/cast/conversion.h"
#include "ops/registry.h"

namespace kiln::ops {

const OpDef cast_op = pointwise("Cast", {"input", kCastTypes})
                          .required_attr("to", std::string())
                          .attr("saturate", int64_t{1})
                          .attr("round_mode", std::string("up"))
                          .output_type(type_from("to"))
                          .scalar([](Expr x, const Attributes& a) {
                            return cast_scalar(x, a.dtype("to"), a.integer("saturate") != 0, a.text("round_mode"));
                          })
                          .elements([](ShapeCall& c) { return cast_elements(c, c.attributes().dtype("to")); })
                          .reference([](RefCall& c) {
                            cast_tensor(c.input(0), c.output(), c.integer("saturate") != 0, c.text("round_mode"));
                          });

}  // namespace kiln::ops
