// Layers on images that the second-level cache does not hold: what reads or stores one again waits for memory.
#pragma once
#include "backends/cuda/target/conv_problem.h"
#include "passes/rule.h"

namespace kiln::passes {

// A convolution of each channel alone adds its results up while it has them: squeeze-and-excite behind it does not read them for their mean.
extern const Rule conv_excite;
// A 1x1 convolution multiplies an image by a factor for each of its channels while it reads it: the product is never stored.
extern const Rule scaled_conv;

}  // namespace kiln::passes

namespace kiln::cuda {

// Whether "scaled_conv" takes the convolution, of an image or of one that it scales.
Refusal read_scaled(const Problem& problem, TiledProblem& tiled);

}  // namespace kiln::cuda
