// What the tactics of convolutions of each channel alone share.
#pragma once
#include "backends/cuda/target/conv_problem.h"

namespace kiln::cuda {

// Whether "depthwise_boxes" takes the convolution that the problem begins with.
Refusal read_boxes(const Problem& problem, TiledProblem& tiled);
std::vector<Config> boxes_configurations(const Problem& problem);

}  // namespace kiln::cuda
