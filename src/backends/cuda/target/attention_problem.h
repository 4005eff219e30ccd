// What tactics of attention share.
#pragma once
#include "target/target.h"

namespace kiln::cuda::tactics {

// What they all need: operands of one floating-point type in row-major order, no cache, no capped scores, a mask that covers the keys.
Refusal accepts_attention(const Problem& problem);

}  // namespace kiln::cuda::tactics
