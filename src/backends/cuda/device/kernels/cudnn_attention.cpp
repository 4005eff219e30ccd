// Kernel "cudnn_attention": attention by a plan of cuDNN's that was compiled for it. Inputs as those of "attention": q, k, v and a mask,
// which may be absent. float16 or bfloat16.
#include <limits>

#include "backends/cuda/device/kernels/cudnn_kernel.h"
#include "backends/cuda/device/kernels/cudnn_kernels.h"
#include "backends/cuda/device/kernels/mask_rows.h"
#include "backends/cuda/device/memory.h"

namespace kiln::cuda::kernels {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

class CudnnAttentionKernel final : public CudnnKernel {
 public:
  CudnnAttentionKernel(Gpu& gpu, const CudnnCompiledAttention& p, Binary plan)
      : CudnnKernel(gpu, p.choice.library, std::move(plan)),
        attention_(p.attention),
        planned_(planned(p)),
        makes_rows_(p.mask_rows),
        rows_(gpu),
        scale_(attention_.scale()) {
    is_empty_ = attention_.is_empty();
    if (makes_rows_) own_workspace_ = room_for_rows();
    using From = Operand::From;
    using Name = CudnnAttentionOperand;
    add(Name::kQ, From::kInput, 0);
    add(Name::kK, From::kInput, 1);
    add(Name::kV, From::kInput, 2);
    add(Name::kY, From::kOutput, 0);
    if (attention_.has_mask()) add(Name::kMask, makes_rows_ ? From::kWorkspace : From::kInput, 3);
    add(Name::kScale, From::kNumber, 0, &scale_);
    if (attention_.parameters.causal) add(Name::kLowest, From::kNumber, 0, &kLowest);
  }

 private:
  Status read(const KernelCall& call) override {
    CudnnAttention given;
    KILN_RETURN_IF_ERROR(read_attention(call, attention_.parameters, given));
    if (makes_rows_) KILN_RETURN_IF_ERROR(plan_rows(given));
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
  Status begin(Stream& stream, const KernelCall& call) noexcept override {
    return makes_rows_ ? rows_.launch(stream, call.inputs[3].data, call.workspace) : kOkStatus;
  }

  size_t room_for_rows() const {
    const size_t bytes = attention_.mask_bytes();
    if (bytes > CudnnGraph::kMostWorkspace) throw Error(Code::kUnsupported, "a mask is too large for the workspace");
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }
  // The mask becomes what it is when it is ready.
  Status plan_rows(CudnnAttention& given) {
    if (!given.has_mask()) return kOthers;
    const CudnnAttention ready = given.with_mask_rows();
    const CudnnTensors& t = given.tensors;
    const size_t mask = t.count() - 1;
    KILN_RETURN_IF_ERROR(rows_.plan(t.types[mask], t.dims_of(mask), t.strides_of(mask), attention_.parameters.causal,
                                    ready.tensors.types[mask]));
    given = ready;
    return kOkStatus;
  }

  CudnnAttention attention_;
  std::vector<CudnnAttention> planned_;
  size_t number_ = 0;  // of the plan for the operands
  bool makes_rows_;
  MaskRows rows_;
  float scale_;
};

}  // namespace

void CudnnCompiledAttention::check() const {
  if (!slices.empty() && slices.size() != 3 * CudnnTensors::kAxes)
    throw malformed_parameter("slices", "has " + std::to_string(slices.size()) + " elements");
  if (mask_rows && !attention.has_mask()) throw malformed_parameter("mask_rows", "is of no mask");
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
