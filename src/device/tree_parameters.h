// Decision trees as the parameters of a step.
#pragma once
#include "tensor/trees.h"

namespace kiln {

// Throws Error(kMalformedPlan).
Trees read_trees(const Attributes& parameters);

}  // namespace kiln
