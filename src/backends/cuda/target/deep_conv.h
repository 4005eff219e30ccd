// Convolutions over depth, transposed ones, too.
#pragma once
#include "passes/rule.h"

namespace kiln::passes {

// They become convolutions over rows and columns, for which there are kernels; those of known sizes that cuDNN takes stay.
extern const Rule deep_conv;
// Become convolutions; those that cuDNN takes stay.
extern const Rule deep_transposed_conv;

}  // namespace kiln::passes
