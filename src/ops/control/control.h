// What the operators with regions share.
#pragma once
#include "ops/op.h"

namespace kiln::ops {

// The edge rule: types of all outputs unknown. A graph infers them from the outputs of the regions.
std::vector<EdgeType> unknown_edges(ShapeCall& c);
// Inputs [begin, end) of the node.
std::vector<Datum> inputs_between(const RefCall& c, int begin, int end);
// The number of inputs before the captured ones; throws kInvalidGraph when `captures` is out of range.
int first_capture(const RefCall& c);
bool truth(const Datum& condition);

}  // namespace kiln::ops
