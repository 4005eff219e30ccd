// The convolutions at a network's entrance.
#pragma once
#include "device/parameters.h"
#include "passes/pass.h"
#include "target/target.h"

namespace kiln::cuda {

// After layouts are chosen: convolutions of few channels read rows of pixels where they lie, also in float32, and no Reformat or Cast
// comes before them.
passes::Pass read_rows_at_the_entrance();
// Whether the kernel of few channels takes such a window over elements of so many bytes.
Refusal accept_few_window(const SlidingWindow& window, int bytes);

}  // namespace kiln::cuda
