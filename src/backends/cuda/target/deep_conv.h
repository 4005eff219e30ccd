// Convolutions over depth.
#pragma once
#include "passes/rule.h"

namespace kiln::passes {

// They become convolutions over rows and columns, for which there are kernels; those of known sizes that cuDNN takes stay.
extern const Rule deep_conv;

}  // namespace kiln::passes
