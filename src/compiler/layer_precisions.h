// Types that single layers are to compute in.
#pragma once
#include "ir/graph.h"
#include "target/target.h"

namespace kiln {

// Marks the nodes that the layers of `precisions` name. What the target cannot do, or the build does not allow, is an error where the
// wish is to be obeyed, else a warning; so is a name that fits no layer. Throws kNotFound, kUnsupported.
void mark_precisions(ir::Graph& graph, const Target& target, const Precisions& precisions, Logger& logger);

}  // namespace kiln
