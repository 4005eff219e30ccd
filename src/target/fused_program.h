// The scalar program of a node whose base operator and post-operations are all pointwise.
#pragma once
#include <optional>

#include "target/target.h"

namespace kiln {

// Inputs of the program are the present inputs of the problem, in order; `used` receives their indices.
// Nothing when an operator is not pointwise or computes in types that a program cannot hold.
std::optional<ScalarProgram> fused_program(const Problem& problem, std::vector<int>& used);

}  // namespace kiln
