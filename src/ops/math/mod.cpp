// Mod: remainder of a / b. fmod=0: with the sign of b, as Python; fmod=1, and of floats: with the sign of a, as C.
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {

const OpDef mod_op =
    pointwise("Mod", {{"a", kNumericTypes}, {"b", kNumericTypes, "a"}})
        .attr("fmod", int64_t{0})
        .scalar([](Expr a, Expr b, const Attributes& attributes) {
          return binary(attributes.integer("fmod") != 0 || a.is_float() ? ScalarOp::kFmod : ScalarOp::kMod, a, b);
        })
        .elements([](ShapeCall& c) {
          if (c.integer("fmod") != 0) return Elements();
          return elementwise([](std::span<const Dim> v) {
            return max(v[1], 0) == v[1] && !(v[1] == Dim(0)) ? std::optional<Dim>(mod(v[0], v[1])) : std::nullopt;
          })(c);
        });

}  // namespace kiln::ops
