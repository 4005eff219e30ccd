// Chains of pointwise operators from one tensor of bytes to bytes, as a table of all results.
#pragma once
#include "target/target.h"

namespace kiln {

// Result 0 lies as input `x` does, row-major or channels last.
Refusal accept_same_place(const Problem& problem, int x);

Refusal accept_byte_table(const Problem& problem);
// The inputs: bytes, and 256 bytes that they become. For a problem that was accepted.
void emit_byte_table(const Problem& problem, Emitted& emitted);

}  // namespace kiln
