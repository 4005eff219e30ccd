// OptionalGetElement: the value of an optional; anything else passes as it is.
#include "base/require.h"
#include "ops/registry.h"
#include "ops/sequence/sequences.h"

namespace kiln::ops {
namespace {

std::vector<EdgeType> get_edges(ShapeCall& c) {
  EdgeType edge = c.info(0).type;
  if (edge.kind == Datum::kOptional) edge.kind = edge.optional_of_sequence ? Datum::kSequence : Datum::kTensor;
  edge.optional_of_sequence = false;
  return {edge};
}

void get_reference(RefCall& c) {
  const Datum& input = c.datum(0);
  require(input.kind != Datum::kOptional || !input.items.empty(), Code::kInvalidArgument,
          "OptionalGetElement of an empty optional");
  c.set_output(0, input.kind == Datum::kOptional ? input.items.front() : input);
}

}  // namespace

const OpDef optional_get_element = op("OptionalGetElement")
                                       .input("input", kAnyType)
                                       .output("output", same_type("input"))
                                       .edges(get_edges)
                                       .reference(get_reference);

}  // namespace kiln::ops
