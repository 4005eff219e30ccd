// Which layout and which type each value has: of what the target's tactics can take and give, the cheapest over the whole graph.
#pragma once
#include <vector>

#include "compiler/extents.h"
#include "compiler/signatures.h"

namespace kiln {

// Gives every value its layout, and puts Reformat where a reader wants another one. `outputs`: the layouts of the graph's outputs; those
// behind its end are row-major. Values inside are row-major or channels-last; inputs and outputs may have other layouts, with one block at
// most. What bodies of loops and branches take and give is row-major.
// `precisions.compute`: float32, or the narrower type that what is free to compute in it may read and write, too. What computes in float32
// between casts because the model has float16 or bfloat16 there (Node::declared) may read and write that type in every build, and gives what
// it gave. Casts stand where a reader wants another type, and the graph's inputs and outputs keep theirs.
void choose_formats(ir::Graph& graph, const Extents& extents, SignatureFinder& finder,
                    const std::vector<Layout>& outputs, const Precisions& precisions = {});

}  // namespace kiln
