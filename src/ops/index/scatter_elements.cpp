// ScatterElements: a copy of `data` in which elements along an axis, chosen by `indices`, are replaced by or combined with `updates`.
#include "base/error.h"
#include "ops/index/scatter.h"
#include "ops/movement.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape scatter_elements_shape(ShapeCall& c) {
  check_reduction(c);
  c.axis("axis", c.rank("data"));
  if (c.rank("indices") != c.rank("data") || c.rank("updates") != c.rank("data"))
    throw Error(Code::kShapeMismatch, "ScatterElements of " + to_string(c.dims("data")) + " at " +
                                          to_string(c.dims("indices")) + " with " + to_string(c.dims("updates")))
        .cause("the ranks differ");
  return c.dims("data");
}

void scatter_elements_reference(RefCall& c) {
  const Tensor &data = c.input("data"), &indices = c.input("indices");
  const auto axis = static_cast<size_t>(c.axis("axis", data.rank()));
  const Dims strides = row_major_strides(data.dims());
  if (c.input("updates").dims() != indices.dims())
    throw Error(Code::kShapeMismatch,
                "ScatterElements at " + indices.type_string() + " with " + c.input("updates").type_string());
  for (size_t k = 0; k < strides.size(); ++k)
    if (k != axis && indices.dims()[k] > data.dims()[k])
      throw Error(Code::kShapeMismatch, "ScatterElements of " + data.type_string() + " at " + indices.type_string());
  std::vector<int64_t> positions;
  Dims index(indices.dims().size(), 0);
  if (indices.size() > 0) do {
      Dims to = index;
      to[axis] =
          checked_index(indices.int_at(static_cast<int64_t>(positions.size())), data.dims()[axis], "ScatterElements");
      positions.push_back(dot(to, strides));
    } while (advance(index, indices.dims()));
  scatter(c, positions);
}

}  // namespace

const OpDef scatter_elements = op("ScatterElements")
                                   .input("data", kAnyType)
                                   .input("indices", kIndexTypes)
                                   .input("updates", kAnyType, "data")
                                   .attr("axis", int64_t{0})
                                   .attr("reduction", std::string("none"))
                                   .output("output", same_type("data"))
                                   .shape(scatter_elements_shape)
                                   .reference(scatter_elements_reference)
                                   .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
