// ReduceSum: the sum of the elements; 0 of none.
#include "ops/reduce/reduction.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

double sum(std::span<const double> values) {
  double result = 0;
  for (double v : values) result += v;
  return result;
}

int64_t integer_sum(std::span<const int64_t> values) {
  uint64_t result = 0;  // wraps as the storage does
  for (int64_t v : values) result += static_cast<uint64_t>(v);
  return static_cast<int64_t>(result);
}

}  // namespace

const OpDef reduce_sum = reduction("ReduceSum", kReduceTypes)
                             .elements(folded_elements(0, [](const Dim& a, const Dim& b) { return a + b; }))
                             .reference(exact_reference(sum, integer_sum));

}  // namespace kiln::ops
