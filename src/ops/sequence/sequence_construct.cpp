// SequenceConstruct: the inputs as a sequence.
#include "ops/registry.h"
#include "ops/sequence/sequences.h"

namespace kiln::ops {
namespace {

std::vector<EdgeType> construct_edges(ShapeCall& c) {
  TensorType element = c.info(0).type.tensor;
  for (int i = 1; i < c.input_count(); ++i) element = common_type(element, c.info(i).type.tensor);
  return {sequence_edge(element)};
}

void construct_reference(RefCall& c) {
  std::vector<Datum> items;
  for (int i = 0; i < c.input_count(); ++i) items.push_back(c.datum(i));
  c.set_output(0, make_sequence(std::move(items), DType::kInvalid));
}

}  // namespace

const OpDef sequence_construct = op("SequenceConstruct")
                                     .variadic_input("inputs", kAnyType, "inputs")
                                     .output("output_sequence", same_type("inputs"))
                                     .edges(construct_edges)
                                     .reference(construct_reference);

}  // namespace kiln::ops
