// OneHot: a new axis of `depth` entries, on_value at the index and off_value elsewhere (everywhere when the index is outside).
#include "base/error.h"
#include "base/index.h"
#include "ops/movement.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

constexpr TypeSet kOneHotIndexTypes = kIntegerTypes | TypeSet{DType::kF16, DType::kF32, DType::kF64};

int64_t as_index(const Tensor& tensor, int64_t i) {
  return is_float(tensor.dtype()) ? int_from_double(tensor.at(i)) : tensor.int_at(i);
}

Dim depth_of(const ShapeCall& c) {
  if (const Tensor* depth = c.constant("depth")) {
    if (depth->size() != 1 || as_index(*depth, 0) < 0)
      throw Error(Code::kInvalidArgument, "OneHot with a depth of " + depth->type_string())
          .cause("it takes one number that is not negative");
    return as_index(*depth, 0);
  }
  auto depth = c.elements("depth");
  return depth && depth->size() == 1 ? depth->front() : c.unknown_dim(0, 0);
}

OutputShape one_hot_shape(ShapeCall& c) {
  Shape result = c.dims("indices");
  result.insert(result.begin() + c.axis("axis", c.rank("indices") + 1), depth_of(c));
  return result;
}

void one_hot_reference(RefCall& c) {
  const Tensor &indices = c.input("indices"), &values = c.input("values");
  if (values.size() != 2)
    throw Error(Code::kShapeMismatch, "OneHot with values " + values.type_string()).cause("it takes two: off and on");
  const auto axis = static_cast<size_t>(c.axis("axis", indices.rank() + 1));
  const int64_t depth = c.output().dims()[axis], inner = product(indices.dims(), axis, indices.dims().size());
  std::vector<int64_t> positions(static_cast<size_t>(c.output().size()), 0);
  for (int64_t i = 0; i < indices.size(); ++i) {
    int64_t index = as_index(indices, i);
    if (index < 0) index += depth;
    if (index >= 0 && index < depth) nth(positions, (i / inner * depth + index) * inner + i % inner) = 1;
  }
  pick(values, positions, c.output());
}

}  // namespace

const OpDef one_hot = op("OneHot")
                          .input("indices", kOneHotIndexTypes)
                          .input("depth", kOneHotIndexTypes)
                          .input("values", kAnyType)
                          .attr("axis", int64_t{-1})
                          .output("output", same_type("values"))
                          .shape(one_hot_shape)
                          .reference(one_hot_reference);

}  // namespace kiln::ops
