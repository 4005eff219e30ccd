// What rules ask about values and nodes.
#pragma once
#include <optional>
#include <vector>

#include "passes/rule.h"

namespace kiln::passes {

// An attribute, or the default of the schema.
int64_t integer(const Node& node, std::string_view attribute);
double real(const Node& node, std::string_view attribute);
std::string text(const Node& node, std::string_view attribute);

// Elements of an integer value that are known as numbers.
std::optional<Ints> known_ints(const Value* value);
// The number that all elements of a constant are.
std::optional<double> uniform(const Value* value);
// The same, when putting the value into a pointwise operation with something of rank `rank` does not grow the rank.
std::optional<double> scalar_for(const Value* value, int64_t rank);
bool is_about(const std::optional<double>& value, double wanted);  // equal but for rounding to float16 or better

bool is_read_once(const Value& value);           // by a node, and it is no result of the graph
bool same_type(const Value* a, const Value* b);  // element type and shape, both known
// Broadcasting the operand against `shape` gives `shape`.
bool broadcasts_into(const Value* operand, const Shape& shape);
// Values along `axis` of a constant that varies along that axis alone when broadcast to `shape`; one per index of the axis.
std::optional<std::vector<double>> along_axis(const Value* value, const Shape& shape, int64_t axis);
Tensor tensor_of(DType type, Dims dims, const std::vector<double>& values);

// `out` may be replaced by `in`: outputs of a graph stay results of nodes, and each has its own value.
bool can_forward(const Value* out, const Value* in);
std::optional<Patch> forward(const Match& match, Value* in);  // the root's result is `in`

// The results of the root, whose inputs are constants, as constants.
std::optional<Patch> folded(const Match& match);

// Constant `shape` input with which Reshape makes `to` of `from`, whatever the symbols are; nothing when there is none.
std::optional<Tensor> reshape_target(const Shape& from, const Shape& to);
// Whether the second input of a Reshape, Squeeze or Unsqueeze is known as numbers or expressions, or absent. Where only running tells it,
// the node must run, because it refuses what does not fit.
bool is_told(const Node& reshape);
// Flatten, Reshape, Squeeze and Unsqueeze: where elements lie does not change.
bool only_names(const Node& node);
std::optional<Ints> permutation(const Node& transpose);  // explicit, even when the attribute is absent

// Convolution or matrix product with constant weights that only `user` reads: what a per-channel factor can be folded into.
// Channels lie along `channel_axis` of the result.
struct Product {
  Node* node = nullptr;
  int64_t channel_axis = 0;
  int64_t channels = 0;
};
std::optional<Product> foldable_product(const Value* value);
// Weights times a factor per channel of the result; nothing when that is infinite or no number where the weight was one.
std::optional<Tensor> scaled_weights(const Product& product, const std::vector<double>& factors);
// The constant bias of a convolution, zeros when absent; nothing when it is not constant. Matrix products have none.
std::optional<std::vector<double>> constant_bias(const Product& product);

// Batch normalisation in inference with constant parameters: x * factor + summand, per channel.
struct BatchNormLine {
  std::vector<double> factors, summands;
};
std::optional<BatchNormLine> batch_norm_line(const Node& batch_norm);  // nothing when it is training

}  // namespace kiln::passes
