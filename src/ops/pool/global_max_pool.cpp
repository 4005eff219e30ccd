// GlobalMaxPool: the maximum of each channel; NaN wins.
#include <cmath>
#include <limits>

#include "ops/pool/pooling.h"
#include "ops/registry.h"

namespace kiln::ops {

const OpDef global_max_pool = op("GlobalMaxPool")
                                  .input("x", kFloatTypes)
                                  .output("y", same_type("x"))
                                  .shape(global_pool_shape)
                                  .reference([](RefCall& c) {
                                    reduce_channels(c, [](const double* x, int64_t n) {
                                      double best = -std::numeric_limits<double>::infinity();
                                      for (int64_t i = 0; i < n; ++i)
                                        if (x[i] > best || std::isnan(x[i])) best = x[i];
                                      return best;
                                    });
                                  });

}  // namespace kiln::ops
