// How the kernels of products of bytes take what follows them.
#pragma once
#include "backends/cpu/device/kernels/sum_steps.h"
#include "target/sum_steps.h"

namespace kiln::cpu {

inline constexpr SumForm kSumForm{.panel = kInt8Panel, .behind = kInt8Panel, .tables = true};

}  // namespace kiln::cpu
