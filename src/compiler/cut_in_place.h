// Splits for which nothing is left to do: all that read their parts take slices.
#pragma once
#include "compiler/plan_memory.h"

namespace kiln {

// The parts of such a Split become views of what it cuts, and its step goes. Before the steps are placed.
void cut_in_place(const MemoryPlan& memory, const plan::Plan& plan);

}  // namespace kiln
