// What rules about squeeze-and-excite share.
#pragma once
#include "passes/rule.h"

namespace kiln::passes {

// x times its factors: the nodes mean, squeeze and excite, and the value x.
Pattern squeeze_excite_pattern();
// The attributes of the operators that do it; nothing, with a reason, when the kernels do not.
std::optional<Attributes> squeeze_attributes(const Match& match);
// The weights and biases of both products.
std::vector<PatchValue> squeeze_inputs(const Match& match);

}  // namespace kiln::passes
