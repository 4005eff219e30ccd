// Base of kernels that compute on dense row-major tensors.
#include "backends/cpu/device/kernels/dense.h"

namespace kiln::cpu::kernels {
namespace {

bool needs_stage(const TensorView& v) { return v.present() && !v.slot && v.rank > 0 && !v.is_dense(); }

}  // namespace

size_t DenseKernel::plan(const KernelCall& call) {
  inputs_.assign(call.inputs.begin(), call.inputs.end());
  outputs_.assign(call.outputs.begin(), call.outputs.end());
  stages_.clear();
  staged_ = 0;
  for (const auto* list : {&inputs_, &outputs_})
    for (const TensorView& v : *list)
      if (v.present() && !is_plain(v) && !(v.slot && list == &outputs_ && sizes_results()))
        throw Error(Code::kMalformedPlan, "a kernel takes plain tensors");
  if (takes(call)) return 0;
  for (bool output : {false, true}) {
    auto& views = output ? outputs_ : inputs_;
    for (size_t i = 0; i < views.size(); ++i) {
      TensorView& v = views[i];
      if (!needs_stage(v)) continue;
      const int size = element_bytes(v.dtype);
      if (size == 0) throw Error(Code::kMalformedPlan, "a kernel takes elements of whole bytes");
      const Dims dims(v.dims, v.dims + v.rank);
      Stage s{output, i, staged_, row_major_strides(dims), {}};
      const std::span<const int64_t> own(v.strides, static_cast<size_t>(v.rank));
      s.copy = output ? StridedCopy(dims, s.strides, own, size, thread_count())
                      : StridedCopy(dims, own, s.strides, size, thread_count());
      staged_ += (static_cast<size_t>(s.copy.bytes()) + 63) / 64 * 64;
      stages_.push_back(std::move(s));
    }
  }
  for (const Stage& s : stages_) (s.output ? outputs_ : inputs_)[s.operand].strides = s.strides.data();
  return staged_;
}

Status DenseKernel::prepare(const KernelCall& call) noexcept {
  return guarded([&]() -> Status {
    plan(call);
    const size_t rest = call.workspace_size > staged_ ? call.workspace_size - staged_ : 0;
    return prepare_dense({inputs_, outputs_, static_cast<uint8_t*>(call.workspace) + staged_, rest});
  });
}

size_t DenseKernel::workspace(const KernelCall& call) noexcept {
  size_t wanted = kNoWorkspace;
  (void)guarded([&]() -> Status {
    const size_t staged = plan(call), own = workspace_dense({inputs_, outputs_, nullptr, 0});
    if (own != kNoWorkspace) wanted = staged + own;
    return kOkStatus;
  });
  return wanted;
}

Status DenseKernel::launch(Stream&, const KernelCall& call) noexcept {
  if (staged_ > call.workspace_size) return {Code::kMalformedPlan, "the workspace of a step is too small"};
  auto* workspace = static_cast<uint8_t*>(call.workspace);
  for (size_t i = 0; i < inputs_.size(); ++i) inputs_[i].data = call.inputs[i].data;
  for (size_t i = 0; i < outputs_.size(); ++i) outputs_[i].data = call.outputs[i].data;
  for (const Stage& s : stages_) {
    TensorView& v = (s.output ? outputs_ : inputs_)[s.operand];
    v.data = workspace + s.offset;
    if (!s.output) s.copy.run(call.inputs[s.operand].data, v.data);
  }
  KILN_RETURN_IF_ERROR(launch_dense({inputs_, outputs_, workspace + staged_, call.workspace_size - staged_}));
  for (const Stage& s : stages_)
    if (s.output) s.copy.run(outputs_[s.operand].data, call.outputs[s.operand].data);
  return kOkStatus;
}

}  // namespace kiln::cpu::kernels
