// Concat: joins tensors along an axis.
#include "base/error.h"
#include "ops/movement.h"
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {
namespace {

OutputShape concat_shape(ShapeCall& c) {
  Shape result = c.dims(0);
  const auto axis = static_cast<size_t>(c.axis("axis", static_cast<int64_t>(result.size())));
  for (int i = 1; i < c.input_count(); ++i) {
    const Shape& dims = c.dims(i);
    const std::string what =
        "Concat of " + to_string(c.dims(0)) + " and " + to_string(dims) + " along axis " + std::to_string(axis);
    if (dims.size() != result.size()) throw Error(Code::kShapeMismatch, what).cause("the ranks differ");
    for (size_t k = 0; k < dims.size(); ++k)
      result[k] = k == axis ? result[k] + dims[k] : same_dim(result[k], dims[k], what);
  }
  return result;
}

std::optional<std::vector<Dim>> concat_elements(ShapeCall& c) {
  if (c.axis("axis", static_cast<int64_t>(c.dims(0).size())) != 0) return std::nullopt;
  for (int i = 0; i < c.input_count(); ++i)
    if (!is_static(c.dims(i))) return std::nullopt;
  std::vector<Dim> result;
  bool any = false;
  for (int i = 0; i < c.input_count(); ++i) {
    const auto elements = few_elements(c, i);
    if (elements) {
      any = any || !elements->empty();
      result.insert(result.end(), elements->begin(), elements->end());
      continue;
    }
    const auto count = checked_element_count(static_dims(c.dims(i)));
    if (!count || *count > kMaxElements) return std::nullopt;
    for (int64_t k = 0; k < *count; ++k) result.push_back(unknown_element(c, static_cast<int64_t>(result.size())));
  }
  if (!any && !result.empty()) return std::nullopt;
  return result;
}

void concat_reference(RefCall& c) {
  std::vector<Tensor> tensors;
  for (int i = 0; i < c.input_count(); ++i) tensors.push_back(c.input(i));
  c.set_output(0, concatenated(tensors, c.axis("axis", c.input(0).rank())));
}

}  // namespace

const OpDef concat = op("Concat")
                         .variadic_input("inputs", kAnyType, "inputs")
                         .required_attr("axis", int64_t{0})
                         .output("concat_result", same_type("inputs"))
                         .shape(concat_shape)
                         .elements(concat_elements)
                         .reference(concat_reference);

}  // namespace kiln::ops
