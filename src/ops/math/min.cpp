// Min: the smallest of all inputs; NaN when one is NaN.
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {

const OpDef min_op = pointwise("Min", {variadic_input_def("data_0", kNumericTypes)})
                         .scalar_n([](std::span<const Expr> in, const Attributes&) {
                           Expr result = in[0];
                           for (const Expr& x : in.subspan(1)) result = min(result, x);
                           return result;
                         })
                         .elements(elementwise([](std::span<const Dim> v) -> std::optional<Dim> {
                           Dim result = v[0];
                           for (const Dim& d : v.subspan(1)) result = min(result, d);
                           return result;
                         }));

}  // namespace kiln::ops
