// BatchNormalization with constant statistics as one multiplication and addition per element.
#pragma once
#include "target/target.h"

namespace kiln {

// Why it cannot be, for a problem on plain tensors.
Refusal accept_channel_affine(const Problem& problem);
// Adds to a step of a kernel "pointwise" its program, and its operands: x, a factor and a summand for each channel.
void emit_channel_affine(const Problem& problem, Emitted& step);

}  // namespace kiln
