// Quantization of a float network by what is known of the ranges of its tensors.
#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "passes/pass.h"

namespace kiln::passes {

// Rules that are made of ranges.
inline constexpr std::string_view kQuantizedByRange = "quantized_by_range", kSumsOfBytes = "sums_of_bytes";

// The largest absolute value of a tensor, by its name.
using TensorRanges = std::map<std::string, double>;

// Whether results of the node are elements of its inputs (of the first; of all of Concat), whose range holds for them.
bool chooses(const Node& node);

// Mean and largest absolute value of each channel of a tensor: along axis 1 of images, else along the last.
struct ChannelFacts {
  std::vector<float> mean, most;
};

// Which products stay, and what makes results in int8 better where channels are known.
struct RangeOptions {
  std::map<std::string, ChannelFacts> channels = {};  // by the names of tensors
  bool corrects_bias = false;  // the bias makes up for what the rounding of weights changes of the mean
  // > 0: channels of what a product by a matrix reads are divided by most^smoothing / (largest weight)^(1 - smoothing), and the weights
  // multiplied by it (SmoothQuant, Xiao et al. 2022).
  double smoothing = 0;
  std::set<std::string> slower = {};  // products of the model, by name, that int8 makes slower: they stay as they are
};

// Convolutions, transposed ones and products by constant weights whose operand has a range read it as int8, between Quantize and Dequantize of one scale,
// and their weights as int8 with a scale per channel of the result; sums read the same integers. The log says which stay as they are,
// and why. Throws Error when no tensor that a product reads has a range.
Pass quantize_by_ranges(TensorRanges ranges, RangeOptions options = {});

// Channels between two convolutions, with nothing but Relu in between, become alike: the weights that make a channel are multiplied, and
// those that read it divided, by a power of two, so that results stay the same (Nagel et al. 2019).
Pass equalize_layers();

}  // namespace kiln::passes
