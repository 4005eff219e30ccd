// Steps that a program does not need.
#pragma once
#include "compiler/plan_memory.h"

namespace kiln {

// `which`: by step.
void remove_steps(const MemoryPlan& memory, const std::vector<bool>& which);

// Steps whose results nobody reads: not a step that stays, not the caller of the program, and no watch of the plan. What reads a tensor in
// the graph may have become a step that does not, or none. Before the steps are placed.
void remove_unread_steps(const MemoryPlan& memory, const plan::Plan& plan);

}  // namespace kiln
