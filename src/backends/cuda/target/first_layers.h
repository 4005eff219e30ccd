// The convolutions at a network's entrance.
#pragma once
#include "device/parameters.h"
#include "passes/rule.h"
#include "target/target.h"

namespace kiln::passes {

// Convolutions of few channels read float32 pictures and round them, and no Cast comes before them.
extern const Rule cast_conv;

}  // namespace kiln::passes

namespace kiln::cuda {

// Whether the kernel of few channels takes such a window over elements of so many bytes.
Refusal accept_few_window(const SlidingWindow& window, int bytes);

}  // namespace kiln::cuda
