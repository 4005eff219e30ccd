// Base of kernels that run a plan of cuDNN's.
#include "backends/cuda/device/kernels/cudnn_kernel.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int64_t kOperandAlignment = 16;  // bytes

}  // namespace

CudnnKernel::CudnnKernel(Gpu& gpu, int64_t version, Binary compiled) : gpu_(gpu), compiled_(std::move(compiled)) {
  if (!gpu.is_there() && !compiled_) return;
  std::string reason;
  library_ = find_cudnn(reason);
  if (!gpu.is_there()) return;
  if (!library_)
    throw Error(Code::kPlanDevice,
                "a step of the engine runs in cuDNN " + cudnn_version_text(version) + ", which is not there")
        .cause(reason)
        .remedy("name the library's file in KILN_CUDNN, or build the engine with --disable=cudnn");
  handles_ = &CudnnHandles::of(*library_, gpu);
}

size_t CudnnKernel::workspace(const KernelCall& call) noexcept {
  size_t wanted = kNoWorkspace;
  (void)guarded([&]() -> Status {
    KILN_RETURN_IF_ERROR(read(call));
    plan_within(SIZE_MAX);
    wanted = own_workspace_ + plan_.workspace;
    return kOkStatus;
  });
  return wanted;
}

Status CudnnKernel::prepare(const KernelCall& call) noexcept {
  return guarded([&]() -> Status {
    KILN_RETURN_IF_ERROR(read(call));
    if (call.workspace_size < own_workspace_) return {Code::kMalformedPlan, "the workspace of a step is too small"};
    plan_within(call.workspace_size - own_workspace_);
    return kOkStatus;
  });
}

Status CudnnKernel::launch(Stream& stream, const KernelCall& call) noexcept {
  if (is_empty_) return kOkStatus;
  if (!handles_) return {Code::kInvalidState, "a plan of cuDNN was launched on a GPU that is not there"};
  const CurrentContext current(gpu_);
  bool same = pack_ && addresses_.back() == call.workspace;
  for (size_t i = 0; i < operands_.size(); ++i) {
    void* const address = address_of(operands_[i], call);
    if (operands_[i].from != Operand::From::kNumber && !is_aligned(address, kOperandAlignment))
      return {Code::kInvalidArgument, "a tensor of cuDNN does not lie at a multiple of 16 bytes"};
    same = same && addresses_[i] == address;
  }
  if (!same) KILN_RETURN_IF_ERROR(guarded([&] { return pack(call); }));
  KILN_RETURN_IF_ERROR(begin(stream, call));
  KILN_RETURN_IF_ERROR(queue(stream));
  return finish(stream, call);
}

void CudnnKernel::forget_plan() noexcept {
  if (!library_) return;
  if (!gpu_.is_there()) {
    plan_ = {};
    return;
  }
  const CurrentContext current(gpu_);
  pack_ = {};
  plan_ = {};
}

CudnnPlan CudnnKernel::compiled_plan(const CudnnSite& site, size_t most_workspace, size_t number) const {
  CudnnPlan plan = plan_of_text(*library_, site, plan_among(*compiled_, number));
  if (plan.workspace > most_workspace)
    throw Error(Code::kMalformedPlan, "the workspace of a step is too small for its plan of cuDNN");
  return plan;
}

void* CudnnKernel::address_of(const Operand& operand, const KernelCall& call) const noexcept {
  switch (operand.from) {
    case Operand::From::kInput: return call.inputs[operand.index].data;
    case Operand::From::kOutput: return call.outputs[operand.index].data;
    case Operand::From::kWorkspace: return call.workspace;
    case Operand::From::kNumber: break;
  }
  return const_cast<float*>(operand.number);  // only read
}

// A plan for what was read, within so much workspace.
void CudnnKernel::plan_within(size_t workspace) {
  if (!library_ || is_empty_ || (plan_.plan && plan_.workspace <= workspace)) return;
  forget_plan();
  if (!gpu_.is_there()) {
    const CudnnDescriptor properties = gpu_properties(*library_, gpu_.chip());
    plan_ = make_plan({nullptr, &properties}, workspace);
    return;
  }
  const CurrentContext current(gpu_);
  const CudnnHandles::Lent handle(*handles_, nullptr);
  plan_ = make_plan({handle.get(), nullptr}, workspace);
}

// A plan runs by any handle of the GPU that it was made for, not only by the one that it was made with.
Status CudnnKernel::queue(Stream& stream) noexcept {
  const CudnnHandles::Lent handle(*handles_, &stream);
  KILN_RETURN_IF_ERROR(status_of(*library_,
                                 library_->cudnnSetStream(handle.get(), static_cast<cudaStream_t>(stream.native())),
                                 "cuDNN does not take a stream"));
  return status_of(*library_, library_->cudnnBackendExecute(handle.get(), plan_.plan.get(), pack_.get()),
                   "a plan of cuDNN could not be queued");
}

// What the library is told of addresses cannot be changed, so it is made anew for others. Throws Error.
Status CudnnKernel::pack(const KernelCall& call) {
  std::vector<int64_t> names;
  std::vector<void*> places;
  for (const Operand& operand : operands_) {
    names.push_back(operand.name);
    places.push_back(address_of(operand, call));
  }
  CudnnDescriptor d(*library_, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  d.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, names);
  d.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, std::ssize(places), places.data());
  d.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace_of_plan(call));
  d.finalize("cuDNN does not take the addresses of a step");
  places.push_back(call.workspace);
  pack_ = std::move(d);
  addresses_ = std::move(places);
  return kOkStatus;
}

}  // namespace kiln::cuda::kernels
