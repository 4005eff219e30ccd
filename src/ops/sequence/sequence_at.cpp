// SequenceAt: the tensor at a position of a sequence.
#include "base/index.h"
#include "ops/registry.h"
#include "ops/sequence/sequences.h"

namespace kiln::ops {
namespace {

std::vector<EdgeType> at_edges(ShapeCall& c) {
  EdgeType edge;
  edge.tensor = sequence_element(c, 0);
  return {edge};
}

}  // namespace

const OpDef sequence_at = op("SequenceAt")
                              .input("input_sequence", kAnyType)
                              .input("position", kIndexTypes)
                              .output("tensor", same_type("input_sequence"))
                              .edges(at_edges)
                              .reference([](RefCall& c) {
                                const auto& items = c.datum(0).items;
                                c.set_output(0, nth(items, list_position(c, 1, static_cast<int64_t>(items.size()), 0)));
                              });

}  // namespace kiln::ops
