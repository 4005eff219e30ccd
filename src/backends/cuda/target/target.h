// NVIDIA GPUs as a target: their passes and tactics.
#pragma once
#include "target/target.h"

namespace kiln::cuda {

// Tactics in the order of preference when nothing is measured; those of a family end in one that takes every type and layout.
const TacticList& tactic_list();
const Target& target();

}  // namespace kiln::cuda
