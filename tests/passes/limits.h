// What the kernels of a usual target do in one step.
#pragma once
#include "passes/fusion_limits.h"
#include "passes/quantize/integer_sums.h"

namespace kiln::passes {

inline FusionLimits usual_limits() {
  return {.operators = {kByteVolumes, "EmbeddingNorm", "ExpandDepthwise", "GatherDequantized", "MatMulDequantized",
                        "QuantizedAveragePool", "QuantizedResize", "RecurrentDequantized", "SqueezeExcite",
                        "SuppressBoxes"},
          .bases = {"Conv", "ConvTranspose", "Gemm", "MatMul"},
          .activations = {"Clip", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "PRelu", "Relu", "Sigmoid", "Swish",
                          "Tanh"},
          .sums = 1,
          .sums_behind = true,
          .programs = {"Mish", "Mul"},
          .joins = {"Add", "Mul"},
          .joined = 2,
          .real_codes = true,
          .words = true,
          .cheap_steps = true};
}

}  // namespace kiln::passes
