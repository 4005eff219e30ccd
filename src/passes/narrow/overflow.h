// Constants that a type of 16 bits cannot hold.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "ir/graph.h"

namespace kiln::passes {

inline constexpr double kLargestHalf = 65504;  // of float16's finite numbers

// The node has float32 there, and its operator takes the type as well.
bool may_narrow(const ir::Node& node, size_t input, DType type);

// A constant of the node that would be read in the type, some of whose finite numbers are infinite in it. Null: none.
const ir::Value* overflowing_constant(const ir::Node& node, DType type);

// Convolutions (transposed or not), matrix products and recurrent layers whose weights are such, in the order of the graph, with the weights.
using OverflowingWeights = std::vector<std::pair<ir::Node*, const ir::Value*>>;
OverflowingWeights find_overflowing_weights(const ir::Graph& graph, DType type);

// For each of those that are free to compute in the type or were asked for it a line that names layer and weights, and says that it computes in
// `instead`: float32, or a type that is then its precision.
std::vector<std::string> settle_overflowing_weights(const OverflowingWeights& found, DType type, DType instead);

// What such layers of the graph make may overflow the type as well: nodes that read it compute in `instead`, and those that read what they
// make, up to such as bound their results (norms, Softmax, Tanh, ...) or were asked for the type. A line that tells them, or none.
std::vector<std::string> keep_large_values_wide(ir::Graph& graph, const OverflowingWeights& found, DType type,
                                                DType instead);

}  // namespace kiln::passes
