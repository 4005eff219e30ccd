// Operators that place each element of one input somewhere in the result, as parameters of kernels "copy".
#pragma once
#include "device/copy_rule.h"
#include "target/target.h"

namespace kiln {

// The operators that it is for.
std::vector<std::string_view> copy_ops();
// The parameters, or why there are none.
Refusal copy_parameters(const Problem& problem, CopyParameters& to);
// The operand behind the others that a result with blocks takes: the zero that fills them.
void add_filler(const Problem& problem, Emitted& emitted);

}  // namespace kiln
