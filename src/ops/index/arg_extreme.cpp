// What ArgMax and ArgMin share: the search for an extreme element along an axis. A NaN is more extreme than anything.
#include "ops/index/arg_extreme.h"

#include "base/index.h"
#include "base/require.h"
#include "ops/index/order.h"
#include "ops/reference_math.h"

namespace kiln::ops {
namespace {

OutputShape arg_shape(ShapeCall& c) {
  Shape shape = c.dims("data");
  const int64_t axis = c.axis("axis", c.rank("data"));
  require(nth(shape, axis) != Dim(0), Code::kShapeMismatch, "there is no extreme element in an axis of 0");
  if (c.integer("keepdims") != 0) nth(shape, axis) = 1;
  else shape.erase(shape.begin() + axis);
  return shape;
}

void arg_reference(RefCall& c, bool largest) {
  const Tensor& data = c.input("data");
  const auto axis = static_cast<size_t>(c.axis("axis", data.rank()));
  const int64_t extent = data.dims()[axis], inner = product(data.dims(), axis + 1, data.dims().size());
  const std::vector<int64_t> keys = order_keys(data, !largest);
  const bool last = c.integer("select_last_index") != 0;
  std::vector<int64_t> results;
  for (int64_t o = 0; o < product(data.dims(), 0, axis); ++o)
    for (int64_t i = 0; i < inner; ++i) {
      auto key = [&](int64_t j) { return nth(keys, (o * extent + j) * inner + i); };
      int64_t best = 0;
      for (int64_t j = 1; j < extent; ++j)
        if ((largest ? key(j) > key(best) : key(j) < key(best)) || (last && key(j) == key(best))) best = j;
      results.push_back(best);
    }
  store(c.output(), results);
}

}  // namespace

OpDef arg_extreme(std::string name, bool largest) {
  return op(std::move(name))
      .input("data", kNumericTypes)
      .attr("axis", int64_t{0})
      .attr("keepdims", int64_t{1})
      .attr("select_last_index", int64_t{0})
      .output("reduced", fixed_type(DType::kI64))
      .shape(arg_shape)
      .reference([largest](RefCall& c) { arg_reference(c, largest); });
}

}  // namespace kiln::ops
