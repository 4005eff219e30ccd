// Arguments of the kernels of cu/choose.cu.
#pragma once
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kChooseThreads = 256;  // of a block

using ChooseLoop = Walk<4>;  // the result, conditions, what is taken where they hold, and where not

}  // namespace kiln::cuda
