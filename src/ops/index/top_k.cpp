// TopK: the K largest or smallest elements along an axis and their indices, in order; the lower index first among equals.
#include <algorithm>

#include "base/error.h"
#include "base/index.h"
#include "ops/index/order.h"
#include "ops/movement.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

std::vector<OutputShape> top_k_shapes(ShapeCall& c) {
  Shape shape = c.dims("X");
  const auto axis = static_cast<size_t>(c.axis("axis", c.rank("X")));
  auto k = c.elements("K");
  if (k && k->size() != 1)
    throw Error(Code::kShapeMismatch, "TopK with " + std::to_string(k->size()) + " values of K").cause("it takes one");
  if (k && k->front().is_constant() &&
      (k->front().value() < 0 || (shape[axis].is_constant() && k->front().value() > shape[axis].value())))
    throw Error(Code::kInvalidArgument, "TopK of " + k->front().str() + " elements of an axis of " + shape[axis].str());
  shape[axis] = k ? k->front() : c.unknown_dim(0, static_cast<int>(axis));
  return {shape, shape};
}

void top_k_reference(RefCall& c) {
  const Tensor& x = c.input("X");
  const auto axis = static_cast<size_t>(c.axis("axis", x.rank()));
  const int64_t extent = x.dims()[axis], k = c.output().dims()[axis];
  const int64_t outer = product(x.dims(), 0, axis), inner = product(x.dims(), axis + 1, x.dims().size());
  const std::vector<int64_t> keys = order_keys(x);
  const bool largest = c.integer("largest") != 0;
  std::vector<int64_t> positions(static_cast<size_t>(c.output().size())), indices(positions.size()),
      order(static_cast<size_t>(extent));
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i) {
      auto key = [&](int64_t j) { return nth(keys, (o * extent + j) * inner + i); };
      for (size_t j = 0; j < order.size(); ++j) order[j] = static_cast<int64_t>(j);
      std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int64_t a, int64_t b) {
        if (key(a) != key(b)) return largest ? key(a) > key(b) : key(a) < key(b);
        return a < b;
      });
      for (int64_t j = 0; j < k; ++j) {
        const auto to = static_cast<size_t>((o * k + j) * inner + i);
        indices[to] = nth(order, j);
        positions[to] = (o * extent + indices[to]) * inner + i;
      }
    }
  pick(x, positions, c.output());
  if (c.wants(1)) store(c.output(1), indices);
}

}  // namespace

const OpDef top_k = op("TopK")
                        .input("X", kNumericTypes)
                        .input("K", DType::kI64)
                        .attr("axis", int64_t{-1})
                        .attr("largest", int64_t{1})
                        .attr("sorted", int64_t{1})
                        .output("Values", same_type("X"))
                        .output("Indices", fixed_type(DType::kI64))
                        .shapes(top_k_shapes)
                        .reference(top_k_reference);

}  // namespace kiln::ops
