// Steps through tensors whose layout may have a block.
#pragma once
#include "tensor/layout.h"

namespace kiln {

// As strides() for layouts with at most one block: along its axis from one block to the next, inside which elements lie side by side.
Dims block_strides(const Layout& layout, const Dims& dims);

}  // namespace kiln
