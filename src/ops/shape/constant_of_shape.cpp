// ConstantOfShape: a tensor of the given shape, filled with one value.
#include "base/error.h"
#include "ops/movement.h"
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {
namespace {

const Tensor& value_of(const ShapeCall& c) {
  static const Tensor zero = Tensor::of<float>({1}, {0.0f});
  if (!c.has_attr("value")) return zero;
  const Tensor& value = c.attributes().tensor("value");
  if (value.size() != 1)
    throw Error(Code::kInvalidArgument, "ConstantOfShape with a value of " + std::to_string(value.size()) + " elements")
        .cause("it takes one");
  return value;
}

OutputShape constant_shape(ShapeCall& c) {
  if (auto dims = partial_elements(c, "input")) {
    for (size_t i = 0; i < dims->size(); ++i)
      if (is_unknown_element((*dims)[i])) (*dims)[i] = c.unknown_dim(0, static_cast<int>(i));
    return *dims;
  }
  auto rank = static_length(c, "input");
  return rank ? OutputShape(c.unknown_shape(0, *rank)) : unranked();
}

std::optional<std::vector<Dim>> constant_elements(ShapeCall& c) {
  auto dims = c.int_values("input");
  const Tensor& value = value_of(c);
  if (!dims || !(is_integer(value.dtype()) || value.dtype() == DType::kBool)) return std::nullopt;
  auto count = checked_element_count(*dims);
  if (!count || *count > kMaxElements) return std::nullopt;
  return std::vector<Dim>(static_cast<size_t>(*count), Dim(value.int_at(0)));
}

}  // namespace

const OpDef constant_of_shape =
    op("ConstantOfShape")
        .input("input", DType::kI64)
        .attr("value", Tensor())
        .output("output", computed_type([](const ShapeCall& c) { return value_of(c).dtype(); }))
        .shape(constant_shape)
        .elements(constant_elements)
        .reference([](RefCall& c) { fill(c.output(), value_of(c.shapes())); });

}  // namespace kiln::ops
