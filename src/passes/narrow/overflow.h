// Constants that a type of 16 bits cannot hold.
#pragma once
#include <string>
#include <vector>

#include "ir/graph.h"

namespace kiln::passes {

// The node has float32 there, and its operator takes the type as well.
bool may_narrow(const ir::Node& node, size_t input, DType type);

// A constant of the node that would be read in the type, some of whose finite numbers are infinite in it. Null: none.
const ir::Value* overflowing_constant(const ir::Node& node, DType type);

// For each convolution, product and recurrent layer whose weights are such, a line that names layer and weights, and says that it stays in float32.
std::vector<std::string> overflowing_weights(const ir::Graph& graph, DType type);

}  // namespace kiln::passes
