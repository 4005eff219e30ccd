// Which layout each value has: of what the target's tactics can take and give, the cheapest over the whole graph.
#pragma once
#include <vector>

#include "compiler/extents.h"
#include "target/target.h"
#include "tuner/tuner.h"

namespace kiln {

// Gives every value its layout, and puts Reformat where a reader wants another one. `outputs`: the layouts of the graph's outputs; those
// behind its end are row-major. Bodies of loops and branches stay row-major.
void choose_formats(ir::Graph& graph, const Extents& extents, const Target& target, const TunerOptions& tuner,
                    const std::vector<Layout>& outputs);

}  // namespace kiln
