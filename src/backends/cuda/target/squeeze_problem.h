// What the tactics of squeeze-and-excite share: its two products.
#pragma once
#include "backends/cuda/device/kernels/own_parameters.h"
#include "target/target.h"

namespace kiln::cuda {

// Whether the kernels make the factors of `channels` channels, in words of 16 bytes; the weights and biases are inputs `first` to `first` + 3.
Refusal accept_squeeze(const Problem& problem, int first, const Argument& x);
kernels::SqueezeProducts squeeze_products(const Problem& problem, int first);
// Adds the packed weights and the biases.
void emit_squeeze_inputs(const Problem& problem, int first, Emitted& emitted);

}  // namespace kiln::cuda
