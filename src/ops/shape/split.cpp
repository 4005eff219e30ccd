// Split: cuts a tensor along an axis into parts of given sizes, or into num_outputs equal parts of which the last may be smaller.
#include <algorithm>

#include "base/error.h"
#include "base/index.h"
#include "ops/movement.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

// Sizes of `count` equal parts of an axis.
std::vector<Dim> equal_parts(const Dim& extent, int64_t count) {
  const Dim part = ceil_div(extent, Dim(count));
  std::vector<Dim> sizes{part};
  for (int64_t i = 1; i < count; ++i) sizes.push_back(min(max(extent - part * Dim(i), 0), part));
  return sizes;
}

std::optional<std::vector<Dim>> part_sizes(const ShapeCall& c) {
  const Dim extent = nth(c.dims("input"), c.axis("axis", c.rank("input")));
  const int64_t outputs = c.output_count();
  if (!c.present("split")) {
    if (c.has_attr("num_outputs") && c.integer("num_outputs") != outputs)
      throw Error(Code::kInvalidArgument, "Split into num_outputs=" + std::to_string(c.integer("num_outputs")) +
                                              " has " + std::to_string(outputs) + " outputs");
    return equal_parts(extent, outputs);
  }
  auto sizes = c.elements("split");
  if (!sizes) return std::nullopt;
  Dim sum = 0;
  for (const Dim& d : *sizes) sum = sum + d;
  if (static_cast<int64_t>(sizes->size()) != outputs || (sum.is_constant() && extent.is_constant() && !(sum == extent)))
    throw Error(Code::kShapeMismatch, "Split of an axis of " + extent.str() + " into " + to_string(*sizes) + " with " +
                                          std::to_string(outputs) + " outputs");
  return sizes;
}

std::vector<OutputShape> split_shapes(ShapeCall& c) {
  const auto axis = static_cast<size_t>(c.axis("axis", c.rank("input")));
  auto sizes = part_sizes(c);
  std::vector<OutputShape> shapes;
  for (int i = 0; i < c.output_count(); ++i) {
    Shape shape = c.dims("input");
    shape[axis] = sizes ? nth(*sizes, i) : c.unknown_dim(i, static_cast<int>(axis));
    shapes.emplace_back(std::move(shape));
  }
  return shapes;
}

std::optional<std::vector<Dim>> split_elements(ShapeCall& c) {
  auto elements = few_elements(c, "input");
  if (!elements || c.rank("input") != 1) return std::nullopt;
  auto sizes = part_sizes(c);
  if (!sizes || !sizes->front().is_constant()) return std::nullopt;
  return std::vector<Dim>(elements->begin(), elements->begin() + sizes->front().value());
}

void split_reference(RefCall& c) {
  const Tensor& input = c.input("input");
  const auto axis = static_cast<size_t>(c.axis("axis", input.rank()));
  const int64_t outer = product(input.dims(), 0, axis);
  int64_t from = 0;
  for (int64_t o = 0; o < outer; ++o)
    for (int i = 0; i < c.output_count(); ++i) {
      const int64_t run = product(c.output(i).dims(), axis, c.output(i).dims().size());
      copy_elements(input, from, c.output(i), o * run, run);
      from += run;
    }
}

}  // namespace

const OpDef split = op("Split")
                        .input("input", kAnyType)
                        .optional_input("split", DType::kI64)
                        .attr("axis", int64_t{0})
                        .attr("num_outputs", int64_t{0})
                        .variadic_output("outputs", same_type("input"))
                        .shapes(split_shapes)
                        .elements(split_elements)
                        .reference(split_reference);

}  // namespace kiln::ops
