// Base of kernels that compute on dense row-major tensors: operands that lie otherwise are copied through the workspace.
#pragma once
#include <vector>

#include "backends/cuda/device/kernels/strided_copy.h"

namespace kiln::cuda::kernels {

class DenseKernel : public Kernel {
 public:
  explicit DenseKernel(Gpu& gpu) : gpu_(gpu) {}
  Status prepare(const KernelCall& call) noexcept final;
  Status launch(Stream& stream, const KernelCall& call) noexcept final;
  size_t workspace(const KernelCall& call) noexcept final;

 protected:
  // As in Kernel, on dense operands; the workspace is the part that staging leaves. May throw Error and bad_alloc.
  virtual Status prepare_dense(const KernelCall& call) = 0;
  virtual Status launch_dense(Stream& stream, const KernelCall& call) noexcept = 0;
  virtual size_t workspace_dense(const KernelCall&) { return 0; }

  Gpu& gpu_;

 private:
  struct Stage {
    bool output;
    size_t operand;
    size_t offset;
    Dims strides;
    StridedCopy copy;
  };
  // Finds what must be staged and makes the views that the kernel sees; the bytes of the stages.
  size_t plan(const KernelCall& call);

  std::vector<TensorView> inputs_, outputs_;
  std::vector<Stage> stages_;
  size_t staged_ = 0;
};

}  // namespace kiln::cuda::kernels
