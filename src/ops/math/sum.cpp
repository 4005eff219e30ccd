// Sum: all inputs added.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef sum_op = pointwise("Sum", {variadic_input_def("data_0", kFloatTypes)})
                         .scalar_n([](std::span<const Expr> in, const Attributes&) {
                           Expr result = in[0];
                           for (const Expr& x : in.subspan(1)) result = result + x;
                           return result;
                         })
                         .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
