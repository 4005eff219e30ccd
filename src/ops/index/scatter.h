// What the scattering operators share.
#pragma once
#include "ops/op.h"

namespace kiln::ops {

// "none", "add", "mul", "max", "min"; throws kInvalidArgument for others.
void check_reduction(const ShapeCall& c);
// The output becomes `data` with updates[i] put, or combined by the attribute `reduction`, at positions[i].
void scatter(RefCall& c, const std::vector<int64_t>& positions);

}  // namespace kiln::ops
