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

// A convolution (transposed or not), matrix product or recurrent layer.
bool multiplies_by_weights(const ir::Node& node);

// For each of those whose weights are such, a line that names layer and weights, and says that it computes in `instead`:
// float32, or a type that is then its precision.
std::vector<std::string> settle_overflowing_weights(ir::Graph& graph, DType type, DType instead);

// What such layers make may overflow the type as well: nodes that read it compute in `instead`, and those that read what they make, up to such
// as bound their results (norms, Softmax, Tanh, ...) or were asked for the type. A line that tells them, or none.
std::vector<std::string> keep_large_values_wide(ir::Graph& graph, DType type, DType instead);

}  // namespace kiln::passes
