// Chooses between row-major and channels-last for every value, by cost over the whole graph.
#pragma once
#include "passes/pass.h"

namespace kiln::passes {

// Spatial operators (convolutions, poolings, …) run channels-last, shape operators run row-major; operators that run in either
// go where fewest bytes change layout (a minimum cut). Where layouts meet, a Reformat node is inserted.
Pass choose_layouts();

}  // namespace kiln::passes
