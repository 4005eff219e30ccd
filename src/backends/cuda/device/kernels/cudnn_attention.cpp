// Kernel "cudnn_attention": attention by a plan of cuDNN's that was compiled for it. Inputs as those of "attention": q, k, v and a mask,
// which is added, and may be absent. float16 or bfloat16.
#include <limits>

#include "backends/cuda/device/kernels/cudnn_kernel.h"
#include "backends/cuda/device/kernels/cudnn_kernels.h"

namespace kiln::cuda::kernels {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

class CudnnAttentionKernel final : public CudnnKernel {
 public:
  CudnnAttentionKernel(Gpu& gpu, const CudnnCompiledAttention& p, Binary plan)
      : CudnnKernel(gpu, p.choice.library, std::move(plan)),
        attention_(p.attention),
        planned_(planned(p)),
        scale_(attention_.scale()) {
    is_empty_ = attention_.is_empty();
    using From = Operand::From;
    using Name = CudnnAttentionOperand;
    add(Name::kQ, From::kInput, 0);
    add(Name::kK, From::kInput, 1);
    add(Name::kV, From::kInput, 2);
    add(Name::kY, From::kOutput, 0);
    if (attention_.has_mask()) add(Name::kMask, From::kInput, 3);
    add(Name::kScale, From::kNumber, 0, &scale_);
    if (attention_.parameters.causal) add(Name::kLowest, From::kNumber, 0, &kLowest);
  }

 private:
  Status read(const KernelCall& call) override {
    CudnnAttention given;
    KILN_RETURN_IF_ERROR(read_attention(call, attention_.parameters, given));
    const auto is_planned = [&](const CudnnAttention& a) { return a.tensors == given.tensors; };
    const auto found = std::find_if(planned_.begin(), planned_.end(), is_planned);
    if (found == planned_.end()) return kOthers;
    const auto number = static_cast<size_t>(found - planned_.begin());
    if (number != number_) forget_plan();
    number_ = number;
    return kOkStatus;
  }
  CudnnPlan make_plan(const CudnnSite& site, size_t workspace) override {
    return compiled_plan(site, workspace, number_);
  }

  CudnnAttention attention_;
  std::vector<CudnnAttention> planned_;
  size_t number_ = 0;  // of the plan for the operands
  float scale_;
};

}  // namespace

void CudnnCompiledAttention::check() const {
  if (!slices.empty() && slices.size() != 3 * CudnnTensors::kAxes)
    throw malformed_parameter("slices", "has " + std::to_string(slices.size()) + " elements");
}

CudnnAttention CudnnCompiledAttention::of_slices() const {
  CudnnAttention a = attention;
  std::copy(slices.begin(), slices.end(), a.tensors.strides.begin());
  return a;
}

std::unique_ptr<Kernel> compiled_kernel(Gpu& gpu, const CudnnCompiledAttention& parameters, const Binary& plan) {
  parameters.check();
  throw_if_error(parameters.attention.fits());
  return std::make_unique<CudnnAttentionKernel>(gpu, parameters, plan);
}

}  // namespace kiln::cuda::kernels
