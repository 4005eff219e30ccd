// What the tactics of convolutions and products share.
#pragma once
#include "backends/cuda/device/kernels/conv_parameters.h"
#include "backends/cuda/device/kernels/packing.h"
#include "backends/cuda/target/epilogue_program.h"
#include "backends/cuda/target/tiles.h"
#include "backends/cuda/target/window.h"

namespace kiln::cuda {

// A convolution, or a product whose right operand is constant, as the kernels on tensor cores do it.
struct TiledProblem {
  bool matrix = false;
  SlidingWindow window;
  kernels::WeightView weights;
  DType type = DType::kInvalid;
  TiledProduct product;  // at the optimum; of one group
  FusedEpilogue epilogue;
  FusedProgram program;
};
// A convolution of images with constant weights of their type, or that they are cast to: all but `product`.
Refusal read_constant_conv(const Problem& problem, TiledProblem& tiled);
// One whose result has channels last, or a product: for kernels that keep all bits of float32.
Refusal read_exact(const Problem& problem, TiledProblem& tiled);
// The same for kernels on tensor cores, which keep those of TF32.
Refusal read_tiled(const Problem& problem, TiledProblem& tiled);
// Whether the pixels of a convolution's result are those of x, in the same order.
bool keeps_pixels(const Problem& problem, const TiledProblem& tiled);
// For a problem that one of them accepted.
TiledProblem tiled_problem(const Problem& problem);
kernels::TiledParameters parameters_of(const TiledProblem& tiled);
// Inputs x, packed weights, bias, residual, and the program where there is one.
template <class T>
Emitted emit_tiled(const TiledProblem& tiled, std::string kernel, Tensor packed, const T& parameters) {
  Emitted e = emit_kernel(std::move(kernel), parameters, {0});
  e.inputs.push_back(add_constant(e, std::move(packed)));
  emit_epilogue_inputs(tiled.epilogue, e);
  emit_program(tiled.program, e);
  return e;
}
// The same for a kernel that stores pixels, or rows, at any equal distances, or at those that are multiples of so many bytes.
template <class T>
Emitted emit_tiled_rows(const TiledProblem& tiled, std::string kernel, Tensor packed, const T& parameters,
                        int64_t alignment = 1) {
  Emitted e = emit_tiled(tiled, std::move(kernel), std::move(packed), parameters);
  e.strided_rows = true;
  e.row_alignment = alignment;
  return e;
}

}  // namespace kiln::cuda
