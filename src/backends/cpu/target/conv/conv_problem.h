// What the convolution tactics share.
#pragma once
#include <optional>

#include "backends/cpu/device/kernels/conv_parameters.h"
#include "backends/cpu/target/window.h"
#include "target/epilogue.h"

namespace kiln::cpu {

// A Conv of float32 over one or two spatial dimensions, as our kernels do it.
struct ConvProblem {
  kernels::SlidingWindow window;
  int64_t groups = 1;
  const float* weights = nullptr;  // OIHW; null: known only at run time
  ConvShape shape;                 // at the optimum
  FusedEpilogue epilogue;
};
Refusal read_conv(const Problem& problem, ConvProblem& conv);
// As above, but needs weights that are constant.
Refusal read_constant_conv(const Problem& problem, ConvProblem& conv);
// The same for a problem that was accepted.
ConvProblem conv_problem(const Problem& problem);
ConvParameters parameters_of(const ConvProblem& conv);
// Inputs x, packed weights (as they are, when not given), bias, residual.
Emitted emit_conv(const ConvProblem& conv, std::string kernel, std::optional<Tensor> packed, Attributes parameters);
template <class T>
Emitted emit_conv(const ConvProblem& conv, std::string kernel, std::optional<Tensor> packed, const T& parameters) {
  return emit_conv(conv, std::move(kernel), std::move(packed), to_parameters(parameters));
}

}  // namespace kiln::cpu
