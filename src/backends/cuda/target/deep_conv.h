// Convolutions over depth.
#pragma once
#include "passes/rule.h"

namespace kiln::passes {

// They become convolutions over rows and columns, for which there are kernels.
extern const Rule deep_conv;

}  // namespace kiln::passes
