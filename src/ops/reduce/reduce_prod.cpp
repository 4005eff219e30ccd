// ReduceProd: the product of the elements; 1 of none.
#include "ops/reduce/reduction.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

double product_of(std::span<const double> values) {
  double result = 1;
  for (double v : values) result *= v;
  return result;
}

int64_t integer_product(std::span<const int64_t> values) {
  uint64_t result = 1;  // wraps as the storage does
  for (int64_t v : values) result *= static_cast<uint64_t>(v);
  return static_cast<int64_t>(result);
}

}  // namespace

const OpDef reduce_prod = reduction("ReduceProd", kReduceTypes)
                              .elements(folded_elements(1, [](const Dim& a, const Dim& b) { return a * b; }))
                              .reference(exact_reference(product_of, integer_product));

}  // namespace kiln::ops
