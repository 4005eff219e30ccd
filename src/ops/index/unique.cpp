// Unique: the distinct elements, or slices along an axis, with their first places, the way back and their counts.
#include <algorithm>

#include "base/index.h"
#include "ops/index/order.h"
#include "ops/movement.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

std::vector<OutputShape> unique_shapes(ShapeCall& c) {
  Shape y{c.unknown_dim(0, 0)};
  Shape inverse{element_count(c.dims("X"))};
  if (c.has_attr("axis")) {
    const auto axis = static_cast<size_t>(c.axis("axis", c.rank("X")));
    inverse = {c.dims("X")[axis]};
    y = c.dims("X");
    y[axis] = c.unknown_dim(0, 0);
  }
  return {y, Shape{c.unknown_dim(0, 0)}, inverse, Shape{c.unknown_dim(0, 0)}};
}

void unique_reference(RefCall& c) {
  const Tensor x = c.has_attr("axis") ? c.input("X") : c.input("X").reshaped({c.input("X").size()});
  const auto axis = static_cast<size_t>(c.axis("axis", x.rank()));
  const int64_t extent = x.dims()[axis], outer = product(x.dims(), 0, axis),
                inner = product(x.dims(), axis + 1, x.dims().size());
  const std::vector<int64_t> keys = order_keys(x);
  std::vector<std::vector<int64_t>> slices(static_cast<size_t>(extent));
  for (size_t i = 0; i < keys.size(); ++i)
    slices[i / static_cast<size_t>(inner) % static_cast<size_t>(extent)].push_back(keys[i]);
  std::vector<int64_t> order(static_cast<size_t>(extent));
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return nth(slices, a) < nth(slices, b); });
  std::vector<std::vector<int64_t>> groups;  // places of equal slices, ascending
  for (int64_t i : order) {
    const auto& slice = nth(slices, i);
    if (groups.empty() || nth(slices, groups.back().front()) != slice) groups.emplace_back();
    groups.back().push_back(i);
  }
  if (c.integer("sorted") == 0) std::sort(groups.begin(), groups.end());
  std::vector<int64_t> first, inverse(static_cast<size_t>(extent)), counts, positions;
  for (size_t g = 0; g < groups.size(); ++g) {
    first.push_back(groups[g].front());
    counts.push_back(static_cast<int64_t>(groups[g].size()));
    for (int64_t i : groups[g]) nth(inverse, i) = static_cast<int64_t>(g);
  }
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t f : first)
      for (int64_t i = 0; i < inner; ++i) positions.push_back((o * extent + f) * inner + i);
  Dims dims = x.dims();
  dims[axis] = static_cast<int64_t>(groups.size());
  c.set_output(0, picked(x, positions, dims));
  const std::vector<int64_t>* more[] = {&first, &inverse, &counts};
  for (int i = 0; i < 3; ++i)
    if (c.wants(i + 1)) c.set_output(i + 1, Tensor::of<int64_t>({static_cast<int64_t>(more[i]->size())}, *more[i]));
}

}  // namespace

const OpDef unique = op("Unique")
                         .input("X", kAnyType)
                         .attr("axis", int64_t{0})
                         .attr("sorted", int64_t{1})
                         .output("Y", same_type("X"))
                         .optional_output("indices", fixed_type(DType::kI64))
                         .optional_output("inverse_indices", fixed_type(DType::kI64))
                         .optional_output("counts", fixed_type(DType::kI64))
                         .shapes(unique_shapes)
                         .reference(unique_reference);

}  // namespace kiln::ops
