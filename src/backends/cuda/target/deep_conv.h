// Convolutions over depth.
#pragma once
#include "passes/pass.h"

namespace kiln::cuda {

// They become convolutions over rows and columns, for which there are kernels.
passes::Pass convolutions_over_depth();

}  // namespace kiln::cuda
