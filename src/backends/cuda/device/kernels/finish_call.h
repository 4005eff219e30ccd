// What a library's kernel leaves to do to its results, done by one of ours.
#pragma once
#include "backends/cuda/device/cu/finish.h"
#include "backends/cuda/device/kernels/epilogue_program.h"

namespace kiln::cuda::kernels {

// y = activation(y [+ bias] [+ residual]) [+ residual], or a program that begins with y [+ bias], for results without gaps whose columns are
// adjacent. The bias is float32.
class FinishCall {
 public:
  explicit FinishCall(Gpu& gpu) : gpu_(gpu) {}
  // `left`: the activation that is left, and where the sum stands. May throw Error.
  Status plan(const TensorView& y, int64_t columns, const EpilogueParameters& left, bool bias, bool residual);
  // Nothing where nothing is left.
  Status launch(Stream& stream, const void* bias, const void* residual, void* y) const noexcept;
  // The same with the program of a call, whose residuals have no gaps either.
  Status plan_program(const KernelCall& call, int64_t columns);
  Status launch_program(Stream& stream, const KernelCall& call, const void* bias) const noexcept;

 private:
  Status plan_launch(const TensorView& y, int64_t columns, const std::string& module);

  Gpu& gpu_;
  Launch launch_;
  FinishArguments arguments_ = {};
};

}  // namespace kiln::cuda::kernels
