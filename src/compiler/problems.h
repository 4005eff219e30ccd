// Problems of a graph: its nodes with numbers for their dimensions.
#pragma once
#include <vector>

#include "compiler/extents.h"

namespace kiln {

// One for each node without regions, in the order of the graph. In a body the values of inputs are known only while it runs.
std::vector<Problem> make_problems(const Extents& extents, int threads, const ir::Graph& graph, bool is_body);

}  // namespace kiln
