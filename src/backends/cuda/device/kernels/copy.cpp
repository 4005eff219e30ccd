// Kernel "copy": one tensor into another, element by element. Parameters: those of CopyRule. Behind the source: what fills the blocks of
// the result.
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
    if (call.inputs.empty() || call.outputs.size() != 1 || call.inputs.size() != rule_.operands(call.outputs[0]))
      return {Code::kMalformedPlan, "a copy has one result"};
    const TensorView &in = call.inputs[0], &out = call.outputs[0];
    const int size = element_bytes(in.dtype);
    if (!has_place(in) || !has_place(out) || in.dtype != out.dtype || size == 0)
      return {Code::kMalformedPlan, "a copy takes tensors of one type in memory"};
    if (call.inputs.size() > 1 &&
        (!is_plain(call.inputs[1]) || call.inputs[1].dtype != in.dtype || call.inputs[1].elements() != 1))
      return {Code::kMalformedPlan, "one element of the copy's type fills its blocks"};
    return guarded([&]() -> Status {
      std::vector<CopyWalk> walks;
      const CopyRule::Walked walked = rule_.walks(in, out, walks);
      if (walked == CopyRule::Walked::kNever)
        return {Code::kShapeMismatch, "the copy's operands do not fit each other"};
      dense_size_ = 0;
      parts_.clear();
      if (walked == CopyRule::Walked::kElementwise) prepare_dense(in, out, size);
      else
        for (const CopyWalk& w : walks)
          parts_.push_back(
              {StridedCopy(gpu_, w.dims, w.from, w.to, size), w.from_start * size, w.to_start * size, w.fills});
      return kOkStatus;
    });
  }

  size_t workspace(const KernelCall& call) noexcept override {
    return prepare(call).ok() ? static_cast<size_t>(dense_size_) : kNoWorkspace;
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    for (const Part& p : parts_)
      KILN_RETURN_IF_ERROR(p.copy.run(stream, static_cast<const uint8_t*>(call.inputs[p.fills ? 1 : 0].data) + p.from,
                                      static_cast<uint8_t*>(call.outputs[0].data) + p.to));
    if (dense_size_ == 0) return kOkStatus;
    if (static_cast<size_t>(dense_size_) > call.workspace_size)
      return {Code::kMalformedPlan, "the workspace of a copy is too small"};
    KILN_RETURN_IF_ERROR(gather_.run(stream, call.inputs[0].data, call.workspace));
    return scatter_.run(stream, call.workspace, call.outputs[0].data);
  }

 private:
  struct Part {
    StridedCopy copy;
    int64_t from, to;  // bytes
    bool fills;
  };

  static bool has_place(const TensorView& v) { return is_plain(v) || (!v.slot && CopyRule::has_blocks(v)); }

  // No strides lead through both: the elements first lie one after another in the workspace.
  void prepare_dense(const TensorView& in, const TensorView& out, int size) {
    const Dims from(in.dims, in.dims + in.rank), to(out.dims, out.dims + out.rank);
    gather_ = StridedCopy(gpu_, from, {in.strides, from.size()}, row_major_strides(from), size);
    scatter_ = StridedCopy(gpu_, to, row_major_strides(to), {out.strides, to.size()}, size);
    dense_size_ = gather_.bytes();
  }

  Gpu& gpu_;
  CopyRule rule_;
  std::vector<Part> parts_;       // none where the workspace is used
  StridedCopy gather_, scatter_;  // into the workspace, and out of it
  int64_t dense_size_ = 0;        // bytes of the workspace
};

}  // namespace

std::unique_ptr<Kernel> make_copy(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<Copy>(gpu, read_parameters<CopyParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
