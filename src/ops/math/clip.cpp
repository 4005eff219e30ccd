// Clip: min(max(x, min), max); a bound that is absent does not bind.
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {

namespace {
Elements clip_elements(ShapeCall& c) {
  const bool low = c.present("min"), high = c.present("max");
  return elementwise([low, high](std::span<const Dim> v) -> std::optional<Dim> {
    Dim result = v[0];
    if (low) result = max(result, v[1]);
    if (high) result = min(result, v.back());
    return result;
  })(c);
}
}  // namespace

const OpDef clip_op = pointwise("Clip", {{"input", kNumericTypes},
                                         optional_input_def("min", kNumericTypes, "input"),
                                         optional_input_def("max", kNumericTypes, "input")})
                          .scalar_n([](std::span<const Expr> in, const Attributes&) {
                            Expr result = in[0];
                            if (in.size() > 1 && in[1].present()) result = max(result, in[1]);
                            if (in.size() > 2 && in[2].present()) result = min(result, in[2]);
                            return result;
                          })
                          .elements(clip_elements);

}  // namespace kiln::ops
