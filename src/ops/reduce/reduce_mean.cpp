// ReduceMean: the mean of the elements; NaN of none.
#include "ops/reduce/reduction.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

double mean(std::span<const double> values) {
  double sum = 0;
  for (double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

}  // namespace

const OpDef reduce_mean = reduction("ReduceMean", kReduceTypes).reference(real_reference(mean));

}  // namespace kiln::ops
