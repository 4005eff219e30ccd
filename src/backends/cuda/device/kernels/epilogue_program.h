// Programs on the results of convolutions and products: how they are packed and checked.
#pragma once
#include "backends/cuda/device/cu/epilogue.h"
#include "backends/cuda/device/cu/epilogue_program.h"
#include "backends/cuda/device/kernels/common.h"

namespace kiln::cuda::kernels {

// x, weights, bias and residual. Kernels that take programs have the program, of bytes and constant, as one operand more, and a second
// residual, where it reads that, as the last.
inline constexpr size_t kBaseOperands = 4, kSecondOperand = kBaseOperands + 1;

// Each vector has a number for each column.
Tensor pack_program(std::span<const EpilogueStep> steps, std::span<const Tensor> vectors, int64_t columns);

// Whether the steps are of the short form: the residual is joined, then the second one, with an activation somewhere. `e` says so then.
bool take_short_form(std::span<const EpilogueStep> steps, EpilogueArguments& e);

inline bool has_program(const KernelCall& call) { return call.inputs.size() > kBaseOperands; }
inline const TensorView* second_residual(const KernelCall& call) {
  return call.inputs.size() > kSecondOperand ? &call.inputs[kSecondOperand] : nullptr;
}
// Checks that it is one, for results of so many columns, and reads the residuals that are there. One of the short form becomes arguments; without
// a program they stay as they are.
Status read_program(const KernelCall& call, int64_t columns, EpilogueArguments& e);
// "conv_mma", or the module of the same kernels with programs.
std::string module_of(const char* family, const KernelCall& call);
// Addresses of the program and of its second residual.
Status bind_program(const KernelCall& call, EpilogueArguments& e) noexcept;

}  // namespace kiln::cuda::kernels
