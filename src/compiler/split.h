// Fused nodes that no tactic takes are split.
#pragma once
#include "compiler/extents.h"
#include "compiler/signatures.h"

namespace kiln {

// A node keeps the longest list of post-operations with which a tactic takes it; the others become a node of their own behind
// it, "conv1 + mish1 (Mish)". Nested graphs too. Nothing changes for targets without tactics. Whether there was such a node.
bool split_declined(ir::Graph& graph, const Extents& extents, const SignatureFinder& finder, Logger& logger);

}  // namespace kiln
