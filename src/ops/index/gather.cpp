// Gather: slices of `data` along `axis`, chosen by `indices`; negative indices count from the end.
#include "ops/index/gather.h"

#include "base/error.h"
#include "base/index.h"
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {
namespace {

std::optional<std::vector<Dim>> known_elements(ShapeCall& c) {
  auto data = partial_elements(c, "data");
  auto indices = c.int_values("indices");
  if (!data || !indices || c.rank("data") != 1) return std::nullopt;
  std::vector<Dim> result;
  const auto size = static_cast<int64_t>(data->size());
  for (int64_t i : *indices) {
    if (i < -size || i >= size) return std::nullopt;
    result.push_back(nth(*data, i < 0 ? i + size : i));
  }
  return result;
}

void gather_reference(RefCall& c) {
  const Tensor& data = c.input("data");
  const Tensor& indices = c.input("indices");
  const auto axis = static_cast<size_t>(c.axis("axis", data.rank()));
  int64_t outer = 1, inner = 1;
  for (size_t i = 0; i < axis; ++i) outer *= data.dims()[i];
  for (size_t i = axis + 1; i < data.dims().size(); ++i) inner *= data.dims()[i];
  const int64_t extent = data.dims()[axis];
  int64_t to = 0;
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t k = 0; k < indices.size(); ++k, to += inner) {
      int64_t index = indices.int_at(k);
      if (index < -extent || index >= extent)
        throw Error(Code::kInvalidArgument,
                    "Gather index " + std::to_string(index) + " is outside an axis of " + std::to_string(extent));
      if (index < 0) index += extent;
      copy_elements(data, (o * extent + index) * inner, c.output(), to, inner);
    }
}

}  // namespace

Shape gathered_shape(const Shape& data, int64_t axis, const Shape& indices) {
  Shape result(data.begin(), data.begin() + axis);
  result.insert(result.end(), indices.begin(), indices.end());
  result.insert(result.end(), data.begin() + axis + 1, data.end());
  return result;
}

const OpDef gather = op("Gather")
                         .input("data", kAnyType)
                         .input("indices", kIndexTypes)
                         .attr("axis", int64_t{0})
                         .output("y", same_type("data"))
                         .shape([](ShapeCall& c) {
                           return gathered_shape(c.dims("data"), c.axis("axis", c.rank("data")), c.dims("indices"));
                         })
                         .elements(known_elements)
                         .reference(gather_reference);

}  // namespace kiln::ops
