// What the tactics of convolutions and products of bytes share.
#pragma once
#include "backends/cuda/target/conv_problem.h"
#include "target/sum_steps.h"

namespace kiln::cuda {

// A convolution of bytes with constant weights, or a product whose right operand is constant, and what follows it.
struct ByteConv {
  bool matrix = false;
  SlidingWindow window;
  int64_t groups = 1, columns = 0, channels = 0;  // of one group
  TiledProduct product;                           // at the optimum; of one group
  ByteProblem bytes{SumForm{}};
  int64_t taps() const { return window.kernel[0] * window.kernel[1]; }
  // Place of a weight among those of the operator; `column` counts through all groups.
  int64_t weight(int64_t column, int64_t tap, int64_t channel) const {
    return matrix ? channel * columns + column : (column * channels + channel) * taps() + tap;
  }
};
// Results have channels last, or are rows of a matrix.
Refusal read_byte_conv(const Problem& problem, ByteConv& conv);
// For a problem that it accepted.
ByteConv byte_conv(const Problem& problem);
kernels::ByteConvParameters parameters_of(const ByteConv& conv);
std::vector<int32_t> sums_of_columns(const ByteConv& conv);  // of the weights
// Inputs x, packed weights, and what SumCall has.
template <class T>
Emitted emit_byte_conv(const ByteConv& conv, std::string kernel, Tensor packed, const T& parameters) {
  Emitted e = emit_kernel(std::move(kernel), parameters, {0});
  e.inputs.push_back(add_constant(e, std::move(packed)));
  emit_sums(conv.bytes, sums_of_columns(conv), 0, e);
  return e;
}

}  // namespace kiln::cuda
