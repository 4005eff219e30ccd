// What operators that resize share: the shape of their result.
#pragma once
#include "ops/op.h"

namespace kiln::ops {

// Of inputs x, roi, scales and sizes, and the attributes of Resize.
OutputShape resize_shape(ShapeCall& c);

}  // namespace kiln::ops
