// QuantizeLinear and DequantizeLinear, with one scale or one per index of an axis, as pointwise programs.
#pragma once
#include "target/target.h"

namespace kiln {

// Why it cannot be.
Refusal accept_quantize(const Problem& problem);
// Adds to a step of a kernel "pointwise" its program and operands.
void emit_quantize(const Problem& problem, Emitted& step);

}  // namespace kiln
