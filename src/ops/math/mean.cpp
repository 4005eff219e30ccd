// Mean: all inputs added, divided by their number.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef mean_op = pointwise("Mean", {variadic_input_def("data_0", kFloatTypes)})
                          .scalar_n([](std::span<const Expr> in, const Attributes&) {
                            Expr result = in[0];
                            for (const Expr& x : in.subspan(1)) result = result + x;
                            return result / static_cast<double>(in.size());
                          })
                          .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
