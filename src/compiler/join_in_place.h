// Concatenations whose parts lie in the result from the start.
#pragma once
#include "compiler/plan_memory.h"

namespace kiln {

// Makes the parts of a concatenation views of its result where the kernels that make them can write slices.
void join_in_place(const MemoryPlan& memory);

}  // namespace kiln
