// Transposed convolutions as convolutions.
#pragma once
#include "passes/rule.h"

namespace kiln::passes {

// Of a line, an image or a volume, a ConvTranspose whose x has 3 to 5 dimensions.
std::optional<Patch> transposed_as_convolutions(const Match& match);

}  // namespace kiln::passes
