// MaxPool: the maximum of each window, and its position in x. NaN wins; padding never does; the first of equals gives the position.
#include <limits>

#include "ops/pool/pooling.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

double lowest(DType type) {
  if (type == DType::kI8) return -128;
  if (type == DType::kU8) return 0;
  return -std::numeric_limits<double>::infinity();
}

// A row-major position inside a plane of size `dims` as the column-major one.
int64_t column_major(int64_t position, const Dims& dims) {
  int64_t result = 0;
  for (size_t i = dims.size(); i-- > 0;) {
    result += position % dims[i] * product(dims, 0, i);
    position /= dims[i];
  }
  return result;
}

void max_pool_reference(RefCall& c) {
  const PoolPlan plan(c);
  std::vector<Extreme> elements;
  for (const double value : doubles(c.input("x"))) elements.push_back({value, static_cast<int64_t>(elements.size())});
  const Extreme none{lowest(c.input("x").dtype()), -1};
  std::vector<double> y;
  std::vector<int64_t> indices;
  for (const Extreme& most : fold_planes(plan, std::move(elements), none, larger)) {
    y.push_back(most.value);
    indices.push_back(most.position);
  }
  store(c.output(), y);
  if (!c.wants(1)) return;
  if (c.integer("storage_order") == 1)
    for (int64_t& i : indices)
      if (i >= 0) i = i / plan.in_plane * plan.in_plane + column_major(i % plan.in_plane, plan.in);
  store(c.output(1), indices);
}

}  // namespace

const OpDef max_pool =
    op("MaxPool")
        .input("x", kFloatTypes | TypeSet{DType::kI8, DType::kU8})
        .attr("auto_pad", std::string("NOTSET"))
        .attr("ceil_mode", int64_t{0})
        .attr("dilations", Ints{})
        .required_attr("kernel_shape", Ints{})
        .attr("pads", Ints{})
        .attr("storage_order", int64_t{0})
        .attr("strides", Ints{})
        .output("y", same_type("x"))
        .optional_output("indices", fixed_type(DType::kI64))
        .shapes([](ShapeCall& c) -> std::vector<OutputShape> { return {pool_shape(c), pool_shape(c)}; })
        .reference(max_pool_reference);

}  // namespace kiln::ops
