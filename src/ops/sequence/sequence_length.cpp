// SequenceLength: the number of tensors in a sequence.
#include "ops/registry.h"
#include "ops/sequence/sequences.h"

namespace kiln::ops {
namespace {

std::vector<EdgeType> length_edges(ShapeCall& c) {
  sequence_element(c, 0);
  return {tensor_edge(DType::kI64, {})};
}

}  // namespace

const OpDef sequence_length =
    op("SequenceLength")
        .input("input_sequence", kAnyType)
        .output("length", fixed_type(DType::kI64))
        .edges(length_edges)
        .reference([](RefCall& c) {
          c.set_output(0, Tensor::scalar<int64_t>(static_cast<int64_t>(c.datum(0).items.size())));
        });

}  // namespace kiln::ops
