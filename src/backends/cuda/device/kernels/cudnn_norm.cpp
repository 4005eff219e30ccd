// Kernel "cudnn_norm": layer, RMS and instance normalisation by a plan of cuDNN's that was compiled for it. Inputs: x, scale, and a bias
// that may be absent, all of one type.
#include "backends/cuda/device/kernels/cudnn_kernel.h"
#include "backends/cuda/device/kernels/cudnn_kernels.h"

namespace kiln::cuda::kernels {
namespace {

class CudnnNormKernel final : public CudnnKernel {
 public:
  CudnnNormKernel(Gpu& gpu, const CudnnCompiledNorm& p, Binary plan)
      : CudnnKernel(gpu, p.choice.library, std::move(plan)),
        parameters_(p),
        epsilon_(static_cast<float>(p.norm.epsilon)) {
    is_empty_ = p.norm.is_empty();
    using From = Operand::From;
    using Name = CudnnNormOperand;
    add(Name::kX, From::kInput, 0);
    add(Name::kY, From::kOutput, 0);
    add(Name::kScale, From::kInput, 1);
    if (p.norm.has_bias()) add(Name::kBias, From::kInput, 2);
    add(Name::kEpsilon, From::kNumber, 0, &epsilon_);
  }

 private:
  Status read(const KernelCall& call) override {
    const CudnnNorm& norm = parameters_.norm;
    CudnnNorm given;
    KILN_RETURN_IF_ERROR(read_norm(call, norm.over, parameters_.axis, norm.epsilon, given));
    return given.tensors == norm.tensors ? kOkStatus : kOthers;
  }
  CudnnPlan make_plan(const CudnnSite& site, size_t workspace) override { return compiled_plan(site, workspace); }

  CudnnCompiledNorm parameters_;
  float epsilon_;
};

}  // namespace

std::unique_ptr<Kernel> compiled_kernel(Gpu& gpu, const CudnnCompiledNorm& parameters, const Binary& plan) {
  throw_if_error(parameters.norm.fits());
  return std::make_unique<CudnnNormKernel>(gpu, parameters, plan);
}

}  // namespace kiln::cuda::kernels
