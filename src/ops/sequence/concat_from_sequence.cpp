// ConcatFromSequence: the tensors of a sequence joined along an axis, or along a new one.
#include "base/index.h"
#include "base/require.h"
#include "ops/movement.h"
#include "ops/registry.h"
#include "ops/sequence/sequences.h"

namespace kiln::ops {
namespace {

std::vector<EdgeType> concat_edges(ShapeCall& c) {
  TensorType element = sequence_element(c, 0);
  if (!element.ranked) return {unranked_edge(element.dtype)};
  const bool is_new = c.integer("new_axis") != 0;
  const int64_t axis = c.axis("axis", static_cast<int64_t>(element.shape.size()) + (is_new ? 1 : 0));
  if (is_new) element.shape.insert(element.shape.begin() + axis, 1);
  nth(element.shape, axis) = c.unknown_dim(0, static_cast<int>(axis));
  return {tensor_edge(element.dtype, element.shape)};
}

void join_reference(RefCall& c) {
  std::vector<Tensor> tensors;
  for (const Datum& d : c.datum(0).items) tensors.push_back(d.tensor);
  require(!tensors.empty(), Code::kInvalidArgument, "ConcatFromSequence of an empty sequence");
  const bool is_new = c.integer("new_axis") != 0;
  const int64_t axis = c.axis("axis", tensors.front().rank() + (is_new ? 1 : 0));
  c.set_output(0, is_new ? stacked(tensors, axis) : concatenated(tensors, axis));
}

}  // namespace

const OpDef concat_from_sequence = op("ConcatFromSequence")
                                       .input("input_sequence", kAnyType)
                                       .required_attr("axis", int64_t{0})
                                       .attr("new_axis", int64_t{0})
                                       .output("concat_result", same_type("input_sequence"))
                                       .edges(concat_edges)
                                       .reference(join_reference);

}  // namespace kiln::ops
