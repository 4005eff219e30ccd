// CumSum: running sums along an axis.
#include "ops/index/cumulative.h"
#include "ops/registry.h"

namespace kiln::ops {

const OpDef cum_sum = cumulative(
    "CumSum", 0, [](double a, double b) { return a + b; },
    [](int64_t a, int64_t b) {
      return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));  // wraps as the storage does
    });

}  // namespace kiln::ops
