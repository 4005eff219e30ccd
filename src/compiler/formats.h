// Which layout each value has: of what the target's tactics can take and give, the cheapest over the whole graph.
#pragma once
#include <vector>

#include "compiler/extents.h"
#include "compiler/signatures.h"

namespace kiln {

// Gives every value its layout, and puts Reformat where a reader wants another one. `outputs`: the layouts of the graph's outputs; those
// behind its end are row-major. What bodies of loops and branches take and give is row-major.
void choose_formats(ir::Graph& graph, const Extents& extents, const SignatureFinder& finder,
                    const std::vector<Layout>& outputs);

}  // namespace kiln
