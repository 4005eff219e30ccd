// What operators that resize share: inputs and attributes, and the shape of their result.
#pragma once
#include "ops/op.h"

namespace kiln::ops {

// Inputs roi, scales and sizes, and the attributes of Resize but its mode.
OpDef&& with_resizing(OpDef&& op);
// Of inputs x, roi, scales and sizes, and the attributes of Resize.
OutputShape resize_shape(ShapeCall& c);

}  // namespace kiln::ops
