// SequenceInsert: the sequence with a tensor inserted before a position; at the end without one.
#include "ops/registry.h"
#include "ops/sequence/sequences.h"

namespace kiln::ops {
namespace {

std::vector<EdgeType> insert_edges(ShapeCall& c) {
  return {sequence_edge(common_type(sequence_element(c, 0), c.info(1).type.tensor))};
}

void insert_reference(RefCall& c) {
  std::vector<Datum> items = c.datum(0).items;
  const auto count = static_cast<int64_t>(items.size());
  // A position may also name the end; from behind it counts as in the list before the insertion.
  const bool at_end = !c.present(2) || c.input(2).int_at(0) == count;
  items.insert(items.begin() + (at_end ? count : list_position(c, 2, count, count)), c.datum(1));
  c.set_output(0, make_sequence(std::move(items), DType::kInvalid));
}

}  // namespace

const OpDef sequence_insert = op("SequenceInsert")
                                  .input("input_sequence", kAnyType)
                                  .input("tensor", kAnyType)
                                  .optional_input("position", kIndexTypes)
                                  .output("output_sequence", same_type("input_sequence"))
                                  .edges(insert_edges)
                                  .reference(insert_reference);

}  // namespace kiln::ops
