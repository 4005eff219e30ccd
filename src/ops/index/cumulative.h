// What CumSum and CumProd share.
#pragma once
#include "ops/op.h"

namespace kiln::ops {

// Results along an axis of everything before (exclusive) or up to (inclusive) an element, from either end.
OpDef cumulative(std::string name, double first, double (*combine)(double, double),
                 int64_t (*combine_integers)(int64_t, int64_t));

}  // namespace kiln::ops
