// Operands and nodes that many tests of kernels build.
#pragma once
#include <limits>
#include <utility>

#include "cuda/node_check.h"

namespace kiln::cuda::testing {

inline const Layout kLast = Layout::channels_last(4);
inline constexpr DType kFloats[] = {DType::kF32, DType::kF16, DType::kBF16};
inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
inline const Attributes kSame3x3{{"pads", Ints{1, 1, 1, 1}}};

inline Operand constant(Dims dims, DType type) { return {.dims = std::move(dims), .type = type, .constant = true}; }
inline Operand last(Dims dims, DType type) { return {.dims = std::move(dims), .type = type, .layout = kLast}; }
inline Operand plain(Dims dims, DType type) { return {.dims = std::move(dims), .type = type}; }

// Channels last, with constant weights.
inline NodeCase conv(Dims x, Dims w, DType type, Attributes attributes, bool bias = true) {
  NodeCase c{.op = "Conv",
             .attributes = std::move(attributes),
             .inputs = {last(std::move(x), type), constant(w, type)},
             .output_layout = kLast};
  if (bias) c.inputs.push_back(constant({w[0]}, type));
  return c;
}

}  // namespace kiln::cuda::testing
