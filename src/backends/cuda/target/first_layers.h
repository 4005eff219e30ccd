// The convolutions at a network's entrance.
#pragma once
#include "device/parameters.h"
#include "passes/pass.h"
#include "target/target.h"

namespace kiln::cuda {

// Convolutions of few channels read float32 pictures and round them, and no Cast comes before them.
passes::Pass round_pictures_at_the_entrance();
// Whether the kernel of few channels takes such a window over elements of so many bytes.
Refusal accept_few_window(const SlidingWindow& window, int bytes);

}  // namespace kiln::cuda
