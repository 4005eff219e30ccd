// Shapes of slices that are chosen by indices.
#pragma once
#include "tensor/shape.h"

namespace kiln::ops {

// `data` with `axis`, which is not negative, replaced by the dimensions of `indices`.
Shape gathered_shape(const Shape& data, int64_t axis, const Shape& indices);

}  // namespace kiln::ops
