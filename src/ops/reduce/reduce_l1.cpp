// ReduceL1: the sum of the absolute values.
#include <cmath>

#include "ops/reduce/reduction.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

double l1(std::span<const double> values) {
  double sum = 0;
  for (double v : values) sum += std::abs(v);
  return sum;
}

int64_t integer_l1(std::span<const int64_t> values) {
  uint64_t sum = 0;  // wraps as the storage does
  for (int64_t v : values) sum += v < 0 ? 0 - static_cast<uint64_t>(v) : static_cast<uint64_t>(v);
  return static_cast<int64_t>(sum);
}

// Values of uint64 are held in the bits of int64, where none is negative.
int64_t unsigned_sum(std::span<const int64_t> values) {
  uint64_t sum = 0;
  for (int64_t v : values) sum += static_cast<uint64_t>(v);
  return static_cast<int64_t>(sum);
}

void l1_reference(RefCall& c) {
  const DType type = c.input("data").dtype();
  if (is_float(type)) reduce_doubles(c, l1);
  else reduce_integers(c, type == DType::kU64 ? unsigned_sum : integer_l1);
}

}  // namespace

const OpDef reduce_l1 = reduction("ReduceL1", kReduceTypes).reference(l1_reference);

}  // namespace kiln::ops
