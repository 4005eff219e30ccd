// GlobalLpPool: the p-norm of each channel.
#include <cmath>

#include "ops/pool/pooling.h"
#include "ops/registry.h"

namespace kiln::ops {

const OpDef global_lp_pool = op("GlobalLpPool")
                                 .input("x", kFloatTypes)
                                 .attr("p", int64_t{2})
                                 .output("y", same_type("x"))
                                 .shape(global_pool_shape)
                                 .reference([](RefCall& c) {
                                   const auto p = static_cast<double>(c.integer("p"));
                                   reduce_channels(c, [p](const double* x, int64_t n) {
                                     double sum = 0;
                                     for (int64_t i = 0; i < n; ++i) sum += std::pow(std::abs(x[i]), p);
                                     return std::pow(sum, 1 / p);
                                   });
                                 })
                                 .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
