// Unsqueeze: inserts axes of extent 1 at the given places of the result.
#include "base/error.h"
#include "ops/movement.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape unsqueeze_shape(ShapeCall& c) {
  const Shape& dims = c.dims("data");
  auto given = c.int_values("axes");
  if (!given) {
    auto count = static_length(c, "axes");
    return count ? OutputShape(c.unknown_shape(0, c.rank("data") + *count)) : unranked();
  }
  const int64_t rank = c.rank("data") + static_cast<int64_t>(given->size());
  const Ints axes = normalized_axes(*given, rank);
  Shape result;
  size_t next = 0;
  for (int64_t i = 0; i < rank; ++i) result.push_back(contains(axes, i) ? Dim(1) : dims[next++]);
  return result;
}

}  // namespace

const OpDef unsqueeze = op("Unsqueeze")
                            .input("data", kAnyType)
                            .input("axes", DType::kI64)
                            .output("expanded", same_type("data"))
                            .shape(unsqueeze_shape)
                            .elements(same_elements("data"))
                            .reference([](RefCall& c) { copy_all(c.input("data"), c.output()); });

}  // namespace kiln::ops
