// ReduceLogSumExp: the logarithm of the sum of exponentials; minus infinity of none.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/reduce/reduction.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

double log_sum_exp(std::span<const double> values) {
  double largest = -std::numeric_limits<double>::infinity();
  for (double v : values) {
    if (std::isnan(v)) return v;
    largest = std::max(largest, v);
  }
  if (!std::isfinite(largest)) return largest;
  double sum = 0;
  for (double v : values) sum += std::exp(v - largest);
  return std::log(sum) + largest;
}

}  // namespace

const OpDef reduce_log_sum_exp = reduction("ReduceLogSumExp", kReduceTypes).reference(real_reference(log_sum_exp));

}  // namespace kiln::ops
