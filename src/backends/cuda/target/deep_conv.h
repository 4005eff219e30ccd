// Convolutions over depth.
#pragma once
#include "passes/pass.h"
#include "target/target.h"

namespace kiln::cuda {

// They become convolutions over rows and columns, for which there are kernels; those of known sizes that the tactic takes as they are
// stay. Null: there is no such tactic.
passes::Pass convolutions_over_depth(const Tactic* tactic);

}  // namespace kiln::cuda
