// The GPU that engines are built for.
#pragma once
#include "backends/cuda/device/gpu.h"

namespace kiln::cuda {

// That of the first GPU of this machine; compute capability 9.0 where there is none.
const Chip& target_chip();
// Blocks of the largest cluster that it has room for, where each takes a multiprocessor.
unsigned target_cluster();
// Its compute capability, as "9.0".
std::string compute_text(const Chip& chip);

}  // namespace kiln::cuda
