// Strings among a graph's constants.
#pragma once
#include "ir/graph.h"

namespace kiln {

// Constants of strings become results of nodes, in regions too: plans hold constants as plain bytes.
void compute_string_constants(ir::Graph& graph);

}  // namespace kiln
