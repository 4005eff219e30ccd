// How many blocks of a cluster a GPU has room for.
#pragma once
#include "backends/cuda/device/gpu.h"

namespace kiln::cuda {

// The largest cluster that starts on a GPU of this machine when each of its blocks has all the shared memory of a multiprocessor: whole
// cards have room for as many blocks as their compute capability allows, parts of cards may not. Throws Error.
unsigned largest_cluster_of(int ordinal, const Chip& chip);

}  // namespace kiln::cuda
