// ReduceSumSquare: the sum of squares; 0 of none.
#include "ops/reduce/reduction.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

double sum_square(std::span<const double> values) {
  double sum = 0;
  for (double v : values) sum += v * v;
  return sum;
}

int64_t integer_sum_square(std::span<const int64_t> values) {
  uint64_t sum = 0;  // wraps as the storage does
  for (int64_t v : values) sum += static_cast<uint64_t>(v) * static_cast<uint64_t>(v);
  return static_cast<int64_t>(sum);
}

}  // namespace

const OpDef reduce_sum_square =
    reduction("ReduceSumSquare", kReduceTypes).reference(exact_reference(sum_square, integer_sum_square));

}  // namespace kiln::ops
