// The text form of graphs: the language of dumps and of all tests of passes.
//
//   graph main(%x: float32[batch,3,8,8]) {
//     %w = constant float32[1]:{2.0}
//     %big = @big float32[64,3,3,3]
//     %y: float32[batch,64,6,6] = Conv "conv1"(%x, %big, _) {strides=[1,1]} + Relu(.) + Mul(., %w) from ["Conv_0", "Relu_1"]
//     return %y
//   }
//
// `_` is an absent input, `.` the running result of a post-operation, `#k` input k of the node. Names that are not made of
// letters, digits and _ . / - are quoted. Types of results may be left out; `layout 0231` may follow a type or constant. Nested graphs follow as
// `regions { graph … graph … }`. Before `from`, `in float32` is what a node is to compute in, and `declared bfloat16` what the model has where
// it computes in float32, `keeps float16` in what its constant weights may be kept. `random float32[4,3] seed 1` is a constant for tests. Comments start with `//`.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "ir/graph.h"

namespace kiln::ir {

// Constants up to this size are written out; larger ones are written as @name and must be given to the parser.
inline constexpr int64_t kInlineElements = 64;

using TensorMap = std::map<std::string, Tensor, std::less<>>;

std::string to_text(const Graph& graph);
// The constants of the graph, nested ones included, that its text refers to by name. Nested graphs prefix "graph/".
TensorMap referenced_constants(const Graph& graph);
// Throws Error(kInvalidArgument) with line and column.
std::unique_ptr<Graph> parse_graph(std::string_view text, const TensorMap& constants = {});

// Elements that depend on the seed alone: floats in [-1, 1), integers in [-4, 4] or [0, 8]. Throws kInvalidArgument when the type has no
// numbers.
Tensor random_tensor(DType type, const Dims& dims, uint64_t seed);

}  // namespace kiln::ir
