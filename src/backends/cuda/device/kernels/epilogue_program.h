// Programs on the results of convolutions and products: how they are packed and checked.
#pragma once
#include "backends/cuda/device/cu/epilogue.h"
#include "backends/cuda/device/cu/epilogue_program.h"
#include "backends/cuda/device/kernels/common.h"

namespace kiln::cuda::kernels {

// Of kernels that take programs: the operands without one, behind which the program is one more, of bytes, constant.
inline constexpr size_t kProgramOperand = 4;

// Each vector has a number for each column.
Tensor pack_program(std::span<const EpilogueStep> steps, std::span<const Tensor> vectors, int64_t columns);

inline bool has_program(const KernelCall& call) { return call.inputs.size() > kProgramOperand; }
// That it is one, for results of so many columns, and reads the residual where there is one.
Status check_program(const KernelCall& call, int64_t columns);
// "conv_mma", or the module of the same kernels with programs.
std::string module_of(const char* family, const KernelCall& call);
Status bind_program(const KernelCall& call, EpilogueArguments& e) noexcept;

}  // namespace kiln::cuda::kernels
