// ReduceL2: the square root of the sum of squares.
#include <cmath>

#include "ops/reduce/reduction.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

double l2(std::span<const double> values) {
  double sum = 0;
  for (double v : values) sum += v * v;
  return std::sqrt(sum);
}

}  // namespace

const OpDef reduce_l2 = reduction("ReduceL2", kReduceTypes).reference(real_reference(l2));

}  // namespace kiln::ops
