// Kernel "copy": one tensor into another, element by element. Parameters: those of CopyRule.
#include "backends/cuda/device/kernels/registry.h"
#include "backends/cuda/device/kernels/strided_copy.h"
#include "device/copy_rule.h"

namespace kiln::cuda::kernels {
namespace {

class Copy final : public Kernel {
 public:
  Copy(Gpu& gpu, CopyParameters parameters) : gpu_(gpu), rule_(std::move(parameters)) {
    if (rule_.late_starts())
      throw Error(Code::kMalformedPlan, "the GPU cuts no slices whose starts only running can tell");
  }

  Status prepare(const KernelCall& call) noexcept override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a copy has one operand and one result"};
    const TensorView &in = call.inputs[0], &out = call.outputs[0];
    const int size = element_bytes(in.dtype);
    if (!is_plain(in) || !is_plain(out) || in.dtype != out.dtype || size == 0)
      return {Code::kMalformedPlan, "a copy takes plain tensors of one type"};
    return guarded([&]() -> Status {
      CopyWalk w;
      const CopyRule::Walked walked = rule_.walk(in, out, w);
      if (walked == CopyRule::Walked::kNever)
        return {Code::kShapeMismatch, "the copy's operands do not fit each other"};
      dense_size_ = 0;
      start_ = w.from_start * size;
      if (walked == CopyRule::Walked::kYes) copy_ = StridedCopy(gpu_, w.dims, w.from, w.to, size);
      else prepare_dense(in, out, size);
      return kOkStatus;
    });
  }

  size_t workspace(const KernelCall& call) noexcept override {
    return prepare(call).ok() ? static_cast<size_t>(dense_size_) : kNoWorkspace;
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    const auto* from = static_cast<const uint8_t*>(call.inputs[0].data) + start_;
    if (dense_size_ == 0) return copy_.run(stream, from, call.outputs[0].data);
    if (static_cast<size_t>(dense_size_) > call.workspace_size)
      return {Code::kMalformedPlan, "the workspace of a copy is too small"};
    KILN_RETURN_IF_ERROR(gather_.run(stream, from, call.workspace));
    return copy_.run(stream, call.workspace, call.outputs[0].data);
  }

 private:
  // No strides lead through both: the elements first lie one after another in the workspace.
  void prepare_dense(const TensorView& in, const TensorView& out, int size) {
    const Dims from(in.dims, in.dims + in.rank), to(out.dims, out.dims + out.rank);
    gather_ = StridedCopy(gpu_, from, {in.strides, from.size()}, row_major_strides(from), size);
    copy_ = StridedCopy(gpu_, to, row_major_strides(to), {out.strides, to.size()}, size);
    dense_size_ = gather_.bytes();
  }

  Gpu& gpu_;
  CopyRule rule_;
  StridedCopy copy_, gather_;
  int64_t start_ = 0;       // bytes
  int64_t dense_size_ = 0;  // bytes of the workspace
};

}  // namespace

std::unique_ptr<Kernel> make_copy(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<Copy>(gpu, read_parameters<CopyParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
