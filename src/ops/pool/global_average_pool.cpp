// GlobalAveragePool: the mean of each channel.
#include <numeric>

#include "ops/pool/pooling.h"
#include "ops/registry.h"

namespace kiln::ops {

const OpDef global_average_pool = op("GlobalAveragePool")
                                      .input("x", kFloatTypes)
                                      .output("y", same_type("x"))
                                      .shape(global_pool_shape)
                                      .reference([](RefCall& c) {
                                        reduce_channels(c, [](const double* x, int64_t n) {
                                          return std::accumulate(x, x + n, 0.0) / static_cast<double>(n);
                                        });
                                      })
                                      .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
