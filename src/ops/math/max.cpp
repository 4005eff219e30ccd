// Max: the largest of all inputs; NaN when one is NaN.
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {

const OpDef max_op = pointwise("Max", {variadic_input_def("data_0", kNumericTypes)})
                         .scalar_n([](std::span<const Expr> in, const Attributes&) {
                           Expr result = in[0];
                           for (const Expr& x : in.subspan(1)) result = max(result, x);
                           return result;
                         })
                         .elements(elementwise([](std::span<const Dim> v) -> std::optional<Dim> {
                           Dim result = v[0];
                           for (const Dim& d : v.subspan(1)) result = max(result, d);
                           return result;
                         }));

}  // namespace kiln::ops
