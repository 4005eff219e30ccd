// Shapes of results that broadcast their operands.
#pragma once
#include "ops/op.h"

namespace kiln::ops {

// As broadcast(), but of two dimensions that only running can tell either may turn out to be 1.
Shape broadcast_shapes(const Shape& a, const Shape& b);

}  // namespace kiln::ops
