// Shape: the dimensions [start, end) of the input as a vector.
#include <algorithm>
#include <limits>

#include "ops/movement.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

Shape wanted(const ShapeCall& c) {
  const int64_t rank = c.rank("data");
  auto place = [&](int64_t i) { return std::clamp(i < 0 ? i + rank : i, int64_t{0}, rank); };
  const int64_t start = place(c.integer("start")), end = place(c.integer("end"));
  const Shape& dims = c.dims("data");
  return start < end ? Shape(dims.begin() + start, dims.begin() + end) : Shape();
}

std::vector<OutputShape> shape_shape(ShapeCall& c) {
  if (!c.ranked("data")) return {c.unknown_shape(0, 1)};
  return {Shape{static_cast<int64_t>(wanted(c).size())}};
}

}  // namespace

const OpDef shape =
    op("Shape")
        .input("data", kAnyType)
        .attr("start", int64_t{0})
        .attr("end", std::numeric_limits<int64_t>::max())
        .output("shape", fixed_type(DType::kI64))
        .shape_of_anything(shape_shape)
        .elements([](ShapeCall& c) { return c.ranked("data") ? std::optional(wanted(c)) : std::nullopt; })
        .reference([](RefCall& c) { store(c.output(), static_dims(wanted(c.shapes()))); });

}  // namespace kiln::ops
