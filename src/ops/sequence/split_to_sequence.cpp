// SplitToSequence: a tensor cut along an axis: into parts of one size, of given sizes, or of size 1 (without the axis when
// keepdims is 0).
#include "base/error.h"
#include "base/index.h"
#include "ops/movement.h"
#include "ops/registry.h"
#include "ops/sequence/sequences.h"

namespace kiln::ops {
namespace {

std::vector<EdgeType> split_edges(ShapeCall& c) {
  TensorType element = c.info(0).type.tensor;
  if (!element.ranked || c.present(1)) return {sequence_edge({element.dtype, {}, false})};
  const int64_t axis = c.axis("axis", static_cast<int64_t>(element.shape.size()));
  if (c.integer("keepdims") != 0) nth(element.shape, axis) = 1;
  else element.shape.erase(element.shape.begin() + axis);
  return {sequence_edge(element)};
}

Ints sizes(const RefCall& c, int64_t extent) {
  if (c.present(1) && c.input(1).rank() == 1) return c.input(1).to_ints();
  const int64_t part = c.present(1) ? c.input(1).int_at(0) : 1;
  if (part < 1) throw Error(Code::kInvalidArgument, "SplitToSequence into parts of " + std::to_string(part));
  Ints result(static_cast<size_t>(extent / part), part);
  if (extent % part != 0) result.push_back(extent % part);
  return result;
}

void split_reference(RefCall& c) {
  const Tensor& input = c.input(0);
  const int64_t axis = c.axis("axis", input.rank()), extent = nth(input.dims(), axis);
  std::vector<Datum> items;
  int64_t begin = 0;
  for (int64_t count : sizes(c, extent)) {
    Tensor part = section(input, axis, begin, count);
    Dims dims = part.dims();
    if (!c.present(1) && c.integer("keepdims") == 0) dims.erase(dims.begin() + axis);
    items.emplace_back(part.reshaped(dims));
    begin += count;
  }
  if (begin != extent)
    throw Error(Code::kShapeMismatch,
                "SplitToSequence of " + std::to_string(extent) + " elements into parts of " + std::to_string(begin));
  c.set_output(0, make_sequence(std::move(items), input.dtype()));
}

}  // namespace

const OpDef split_to_sequence = op("SplitToSequence")
                                    .input("input", kAnyType)
                                    .optional_input("split", kIndexTypes)
                                    .attr("axis", int64_t{0})
                                    .attr("keepdims", int64_t{1})
                                    .output("output_sequence", same_type("input"))
                                    .edges(split_edges)
                                    .reference(split_reference);

}  // namespace kiln::ops
