// What a library's kernel leaves to do to its results, done by one of ours.
#pragma once
#include "backends/cuda/device/cu/finish.h"
#include "backends/cuda/device/kernels/common.h"

namespace kiln::cuda::kernels {

// y = activation(y [+ bias] [+ residual]) [+ residual], for results without gaps whose columns are adjacent. The bias is float32.
class FinishCall {
 public:
  explicit FinishCall(Gpu& gpu) : gpu_(gpu) {}
  // `left`: the activation that is left, and where the sum stands. May throw Error.
  Status plan(const TensorView& y, int64_t columns, const EpilogueParameters& left, bool bias, bool residual);
  // Nothing where nothing is left.
  Status launch(Stream& stream, const void* bias, const void* residual, void* y) const noexcept;

 private:
  Gpu& gpu_;
  Launch launch_;
  FinishArguments arguments_ = {};
};

}  // namespace kiln::cuda::kernels
