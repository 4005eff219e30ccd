// The order of elements as integers, whatever their type; shared by operators that sort or search.
#pragma once
#include <vector>

#include "tensor/tensor.h"

namespace kiln::ops {

// Keys that compare as the elements do: equal for equal elements (also -0 and 0, and NaN and NaN). NaN comes last, or first.
// Strings compare by bytes, complex numbers by real, then imaginary part.
std::vector<int64_t> order_keys(const Tensor& tensor, bool nan_first = false);

}  // namespace kiln::ops
