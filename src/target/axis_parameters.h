// What operators along axes ask of their kernels, which have the same parameters on every device.
#pragma once
#include "device/axis_parameters.h"
#include "target/target.h"

namespace kiln {

// Of an operator whose attribute "axis" is `fallback` when it is absent.
AxisParameters axis_parameters(const Problem& problem, int64_t fallback);
SoftmaxParameters softmax_parameters(const Problem& problem);
RowNormParameters row_norm_parameters(const Problem& problem);
GroupNormParameters group_norm_parameters(const Problem& problem);
ArgExtremeParameters arg_extreme_parameters(const Problem& problem);
TopKParameters top_k_parameters(const Problem& problem);
CumulativeParameters cumulative_parameters(const Problem& problem);
// Of GatherND, ScatterElements, ScatterND.
GatherNdParameters gather_nd_parameters(const Problem& problem);
ScatterElementsParameters scatter_elements_parameters(const Problem& problem);
ScatterNdParameters scatter_nd_parameters(const Problem& problem);

}  // namespace kiln
