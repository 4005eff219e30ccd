// Transposed convolutions as convolutions.
#pragma once
#include <functional>

#include "passes/rule.h"

namespace kiln::passes {

// Of a line, an image or a volume, a ConvTranspose whose x has 3 to 5 dimensions.
std::optional<Patch> transposed_as_convolutions(const Match& match);

// Weights [channels, columns of a group, kernel...], and what a convolution reads of those that it takes: [columns, channels of a group,
// kernel...], so many beside one another for each column of the transposed one.
struct TransposedWeights {
  const Tensor& all;
  std::function<PatchValue(Patch& patch, Tensor taken, int64_t beside)> value;
};
std::optional<Patch> transposed_as_convolutions(const Match& match, const TransposedWeights& weights);

}  // namespace kiln::passes
