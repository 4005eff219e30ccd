// The convolutions at a network's entrance.
#pragma once
#include "passes/pass.h"

namespace kiln::cuda {

// After layouts are chosen: convolutions of few channels read rows of pixels where they lie, and no Reformat comes before them.
passes::Pass read_rows_at_the_entrance();

}  // namespace kiln::cuda
