// Quantization of a float network by what is known of the ranges of its tensors.
#pragma once
#include <map>
#include <string>

#include "passes/pass.h"

namespace kiln::passes {

// The largest absolute value of a tensor, by its name.
using TensorRanges = std::map<std::string, double>;

// Convolutions and products by constant weights whose operand has a range read it as int8, between Quantize and Dequantize of one scale,
// and their weights as int8 with a scale per channel of the result; sums read the same integers. The log says which stay as they are,
// and why. Throws Error when no tensor that a product reads has a range.
Pass quantize_by_ranges(TensorRanges ranges);

}  // namespace kiln::passes
