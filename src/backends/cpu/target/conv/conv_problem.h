// What the convolution tactics share.
#pragma once
#include <optional>

#include "backends/cpu/device/kernels/conv_parameters.h"
#include "backends/cpu/target/window.h"
#include "target/epilogue.h"

namespace kiln::cpu {

// Images of more channels are worth a copy of their own where these are not innermost.
inline constexpr int64_t kMostTurnedChannels = 8;

// A Conv over one or two spatial dimensions, as our kernels do it.
struct ConvProblem {
  kernels::SlidingWindow window;
  int64_t groups = 1;
  const float* weights = nullptr;  // OIHW; null: known only at run time, or of another type
  ConvShape shape;                 // at the optimum
  FusedEpilogue epilogue;
};
// Of images and weights of that type.
Refusal read_conv(const Problem& problem, ConvProblem& conv, DType type = DType::kF32);
// As above, but needs weights that are constant.
Refusal read_constant_conv(const Problem& problem, ConvProblem& conv);
// Each channel alone.
Refusal accept_depthwise(const ConvShape& shape);
// The same for a problem that was accepted.
ConvProblem conv_problem(const Problem& problem, DType type = DType::kF32);
ConvParameters parameters_of(const ConvProblem& conv);
// Inputs x, packed weights (as they are, when not given), bias, residual.
Emitted emit_conv(const ConvProblem& conv, std::string kernel, std::optional<Tensor> packed, Attributes parameters);
template <class T>
Emitted emit_conv(const ConvProblem& conv, std::string kernel, std::optional<Tensor> packed, const T& parameters) {
  return emit_conv(conv, std::move(kernel), std::move(packed), to_parameters(parameters));
}

}  // namespace kiln::cpu
