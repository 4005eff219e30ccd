// Comparison of a result with the reference, as close as the operator's class of accuracy asks.
#pragma once
#include <string>

#include "ops/op.h"

namespace kiln::operators {

// The first element that differs, with both values; empty when there is none. `magnitude` (may be invalid) is the result for the absolute
// values of the inputs: about the sum of the sizes of the terms of each element, against which rounding of kReduction counts.
std::string difference(const Tensor& actual, const Tensor& expected, Accuracy accuracy, const Tensor& magnitude = {});

}  // namespace kiln::operators
