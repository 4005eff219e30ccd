// Constants that a type of 16 bits cannot hold.
#pragma once
#include <string>
#include <vector>

#include "ir/graph.h"

namespace kiln::passes {

inline constexpr double kLargestHalf = 65504;  // of float16's finite numbers

// The node has float32 there, and its operator takes the type as well.
bool may_narrow(const ir::Node& node, size_t input, DType type);

// A constant of the node that would be read in the type, some of whose finite numbers are infinite in it. Null: none.
const ir::Value* overflowing_constant(const ir::Node& node, DType type);

// For each convolution, product and recurrent layer whose weights are such, a line that names layer and weights, and says that it computes in `instead`:
// float32, or a type that is then its precision.
std::vector<std::string> settle_overflowing_weights(ir::Graph& graph, DType type, DType instead);

}  // namespace kiln::passes
