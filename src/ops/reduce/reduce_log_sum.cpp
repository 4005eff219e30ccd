// ReduceLogSum: the logarithm of the sum; minus infinity of none.
#include <cmath>

#include "ops/reduce/reduction.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

double log_sum(std::span<const double> values) {
  double sum = 0;
  for (double v : values) sum += v;
  return std::log(sum);
}

}  // namespace

const OpDef reduce_log_sum = reduction("ReduceLogSum", kReduceTypes).reference(real_reference(log_sum));

}  // namespace kiln::ops
