// What products of bytes do with their sums, from parameters and operands of a call.
#pragma once
#include <functional>

#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/image.h"
#include "backends/cuda/device/kernels/packing.h"
#include "backends/cuda/device/kernels/sum_parameters.h"

namespace kiln::cuda::kernels {

// The inputs of a kernel from `first` on: start values of the sums (int32 per column, may be absent), sums of the weights per column and
// the zero point of x where only running tells it (else absent), and the operands of the steps that have one.
class SumCall {
 public:
  SumCall(const ByteSums& parameters, size_t first)
      : parameters_(restored_sums(parameters.sums)), x_zero_(parameters.x_zero), first_(first) {}
  // Sees a tensor as pixels of channels; nothing when it cannot.
  using Images = std::function<std::optional<ImageView>(const TensorView&)>;
  // Checks operands and result, whose channels, all groups of `columns` together, are the columns. May throw Error.
  Status prepare(const KernelCall& call, const ImageView& out, int64_t columns, const Images& images);
  // With this call's addresses.
  SumArguments arguments(const KernelCall& call) const noexcept;

 private:
  Status check_operand(const SumStep& step, const TensorView& view, const TensorView& result, const ImageView& out,
                       const Images& images, SumStepArgument& to);
  SumParameters parameters_;
  int32_t x_zero_;
  size_t first_;
  SumArguments arguments_ = {};
  bool words_ = false;  // when addresses are aligned too
};

}  // namespace kiln::cuda::kernels
