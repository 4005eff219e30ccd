// SequenceErase: the sequence without the tensor at a position; without the last one when none is given.
#include "base/require.h"
#include "ops/registry.h"
#include "ops/sequence/sequences.h"

namespace kiln::ops {
namespace {

void erase_reference(RefCall& c) {
  std::vector<Datum> items = c.datum(0).items;
  const auto count = static_cast<int64_t>(items.size());
  require(count != 0, Code::kInvalidArgument, "SequenceErase of an empty sequence");
  const DType type = items.front().tensor.dtype();
  items.erase(items.begin() + list_position(c, 1, count, count - 1));
  c.set_output(0, make_sequence(std::move(items), type));
}

}  // namespace

const OpDef sequence_erase =
    op("SequenceErase")
        .input("input_sequence", kAnyType)
        .optional_input("position", kIndexTypes)
        .output("output_sequence", same_type("input_sequence"))
        .edges([](ShapeCall& c) { return std::vector<EdgeType>{sequence_edge(sequence_element(c, 0))}; })
        .reference(erase_reference);

}  // namespace kiln::ops
