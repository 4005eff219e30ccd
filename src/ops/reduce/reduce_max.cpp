// ReduceMax: the largest element, NaN if there is one; of none the lowest value of the type. false < true.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/reduce/reduction.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

double largest_of(std::span<const double> values) {
  double best = -std::numeric_limits<double>::infinity();
  for (double v : values) {
    if (std::isnan(v)) return v;
    best = std::max(best, v);
  }
  return best;
}

template <class T> void largest_of_type(RefCall& c) {
  reduce_integers(c, [](std::span<const int64_t> values) {
    T best = std::numeric_limits<T>::min();
    for (int64_t v : values) best = std::max(best, static_cast<T>(v));
    return static_cast<int64_t>(best);
  });
}

void max_reference(RefCall& c) {
  switch (c.input("data").dtype()) {
    case DType::kBool: return largest_of_type<bool>(c);
    case DType::kU8: return largest_of_type<uint8_t>(c);
    case DType::kI8: return largest_of_type<int8_t>(c);
    case DType::kU32: return largest_of_type<uint32_t>(c);
    case DType::kI32: return largest_of_type<int32_t>(c);
    case DType::kU64: return largest_of_type<uint64_t>(c);
    case DType::kI64: return largest_of_type<int64_t>(c);
    default: return reduce_doubles(c, largest_of);
  }
}

}  // namespace

const OpDef reduce_max = reduction("ReduceMax", kReduceTypes | TypeSet{DType::kU8, DType::kI8, DType::kBool})
                             .accuracy(Accuracy::kExact)
                             .reference(max_reference);

}  // namespace kiln::ops
