// GatherDequantized of a constant table as a step.
#pragma once
#include "target/target.h"

namespace kiln {

// Why it cannot be.
Refusal accept_gather_dequantized(const Problem& problem);
// Adds to a step of a kernel "gather_dequantized" its parameters and operands: the table's bytes, indices, scales and zero points.
void emit_gather_dequantized(const Problem& problem, Emitted& step);

}  // namespace kiln
