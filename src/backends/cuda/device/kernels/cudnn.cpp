// Kernel "cudnn": a convolution by cuDNN, and what its kernels lack by one of ours. Inputs: x, weights [columns, taps..., channels of a
// group], bias (one element for each column; may be absent where neither a sum nor Relu needs it), residual (like the result; may be
// absent). Those of a transposed convolution: [channels of x, taps..., columns of a group], and a bias of float32. Images of one type,
// channels last: float16, bfloat16 or float32.
#include <array>
#include <optional>

#include "backends/cuda/device/cudnn_conv.h"
#include "backends/cuda/device/kernels/finish_call.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int64_t kOperandAlignment = 16;  // bytes
constexpr size_t kOperands = 5;

// The addresses of a launch, in the order of CudnnOperand, and its workspace.
using Addresses = std::array<void*, kOperands + 1>;

// The size of each axis of a plain tensor; of one axis less than `rank`, with a row of one pixel between.
std::optional<Dims> dims_of(const TensorView& v, size_t rank) {
  if (!is_plain(v) || v.rank < 3) return std::nullopt;
  Dims dims(v.dims, v.dims + v.rank);
  if (dims.size() + 1 == rank) dims.insert(dims.begin() + 2, 1);
  return dims.size() == rank ? std::optional(dims) : std::nullopt;
}

// Whether the elements lie channels last and without gaps. Strides of axes of one element mean nothing.
bool is_channels_last(const TensorView& v) {
  const Dims dims(v.dims, v.dims + v.rank), wanted = strides(Layout::channels_last(v.rank), dims);
  for (int i = 0; i < v.rank; ++i)
    if (v.dims[i] != 1 && v.strides[i] != wanted[static_cast<size_t>(i)]) return false;
  return true;
}

class CudnnConvolution final : public Kernel {
 public:
  CudnnConvolution(Gpu& gpu, const CudnnParameters& p) : gpu_(gpu), parameters_(p), finish_(gpu) {
    if (!gpu.is_there()) return;
    std::string reason;
    library_ = find_cudnn(reason);
    if (!library_)
      throw Error(Code::kPlanDevice,
                  "a step of the engine runs in cuDNN " + cudnn_version_text(p.choice.library) + ", which is not there")
          .cause(reason)
          .remedy("name the library's file in KILN_CUDNN, or build the engine with --disable=cudnn");
    handles_ = &CudnnHandles::of(*library_, gpu);
  }
  ~CudnnConvolution() override { forget_plan(); }

  size_t workspace(const KernelCall& call) noexcept override {
    size_t wanted = kNoWorkspace;
    (void)guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call));
      make_plan(SIZE_MAX);
      wanted = plan_.workspace;
      return kOkStatus;
    });
    return wanted;
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call));
      make_plan(call.workspace_size);
      return kOkStatus;
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    if (conv_.is_empty()) return kOkStatus;
    if (!library_) return {Code::kInvalidState, "a convolution was launched on a GPU that is not there"};
    const Addresses addresses = {call.inputs[0].data, call.inputs[1].data,  call.inputs[2].data,
                                 call.inputs[3].data, call.outputs[0].data, call.workspace};
    for (const void* p : addresses)
      if (!is_aligned(p, kOperandAlignment))
        return {Code::kInvalidArgument, "a tensor of a convolution does not lie at a multiple of 16 bytes"};
    const CurrentContext current(gpu_);
    if (!pack_ || addresses != packed_) KILN_RETURN_IF_ERROR(guarded([&] { return pack(addresses); }));
    KILN_RETURN_IF_ERROR(queue(stream));
    return finish_.launch(stream, epilogue_.left_bias ? call.inputs[2].data : nullptr,
                          epilogue_.left_residual ? call.inputs[3].data : nullptr, call.outputs[0].data);
  }

 private:
  Status read(const KernelCall& call) {
    if (call.inputs.size() != 4 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a convolution has four operands"};
    const TensorView &x = call.inputs[0], &w = call.inputs[1], &bias = call.inputs[2], &residual = call.inputs[3],
                     &y = call.outputs[0];
    CudnnConv c{.type = w.dtype, .window = parameters_.window, .x = {}, .w = {}, .y = {}};
    const size_t rank = c.window.strides.size() + 2;
    const auto in = dims_of(x, rank), out = dims_of(y, rank);
    if (!float_suffix(c.type) || x.dtype != c.type || y.dtype != c.type)
      return {Code::kMalformedPlan, "the operands of a convolution are all float32, all float16 or all bfloat16"};
    if (!in || !out || !is_channels_last(x) || !is_channels_last(y) || !is_plain(w) || !w.is_dense() ||
        static_cast<size_t>(w.rank) != rank)
      return {Code::kMalformedPlan, "the operands of a convolution are not channels last"};
    c.x = *in;
    c.y = *out;
    c.w = {w.dims[0], w.dims[rank - 1]};
    c.w.insert(c.w.end(), w.dims + 1, w.dims + rank - 1);
    KILN_RETURN_IF_ERROR(check_sums(call, c));
    epilogue_ = cudnn_epilogue(c.window.transposed, parameters_.epilogue, bias.present(), residual.present());
    if (epilogue_.bias != (bias.present() && !c.window.transposed))
      return {Code::kMalformedPlan, "a convolution has a sum and no bias"};
    c.tf32 = parameters_.tf32;
    c.bias = epilogue_.bias;
    c.residual = epilogue_.residual;
    c.relu = epilogue_.relu;
    KILN_RETURN_IF_ERROR(c.check());
    KILN_RETURN_IF_ERROR(finish_.plan(y, c.y[1], epilogue_.left, epilogue_.left_bias, epilogue_.left_residual));
    if (c == conv_) return kOkStatus;
    conv_ = std::move(c);
    forget_plan();
    return kOkStatus;
  }

  static Status check_sums(const KernelCall& call, const CudnnConv& c) {
    const TensorView &bias = call.inputs[2], &residual = call.inputs[3];
    const DType bias_type = c.window.transposed ? DType::kF32 : c.type;
    if (bias.present() && (bias.dtype != bias_type || !is_plain(bias) || !bias.is_dense() || bias.elements() != c.y[1]))
      return {Code::kShapeMismatch, "the bias of a convolution is one element for each column"};
    if (residual.present() && (residual.dtype != c.type || !is_plain(residual) ||
                               !same_dims(residual, call.outputs[0]) || !is_channels_last(residual)))
      return {Code::kShapeMismatch, "the sum of a convolution has another shape, type or layout"};
    return kOkStatus;
  }

  void forget_plan() noexcept {
    if (!library_) return;
    const CurrentContext current(gpu_);
    pack_ = {};
    plan_ = {};
  }

  // One for the shapes, within so much workspace: that of the chosen kernel where it can be.
  void make_plan(size_t workspace) {
    if (!library_ || conv_.is_empty() || (plan_.plan && plan_.workspace <= workspace)) return;
    forget_plan();
    const CurrentContext current(gpu_);
    const CudnnHandles::Lent handle(*handles_, nullptr);
    const CudnnGraph graph(*library_, {handle.get(), nullptr}, conv_);
    if (auto chosen = chosen_plan(graph); chosen && chosen->workspace <= workspace) plan_ = *std::move(chosen);
    else plan_ = graph.plan_within(std::min(workspace, CudnnGraph::kMostWorkspace));
  }

  // Nothing where the library is of another version, or the kernel does not take these shapes.
  std::optional<CudnnPlan> chosen_plan(const CudnnGraph& graph) const {
    if (parameters_.choice.library != library_->version) return std::nullopt;
    try {
      return graph.plan(parameters_.choice);
    } catch (const Error& e) {
      if (e.code() == Code::kOutOfMemory) throw;
      return std::nullopt;
    }
  }

  // A plan runs by any handle of the GPU that it was made for, not only by the one that it was made with.
  Status queue(Stream& stream) noexcept {
    const CudnnHandles::Lent handle(*handles_, &stream);
    KILN_RETURN_IF_ERROR(status_of(*library_,
                                   library_->cudnnSetStream(handle.get(), static_cast<cudaStream_t>(stream.native())),
                                   "cuDNN does not take a stream"));
    return status_of(*library_, library_->cudnnBackendExecute(handle.get(), plan_.plan.get(), pack_.get()),
                     "a convolution of cuDNN could not be queued");
  }

  // What the library is told of addresses cannot be changed, so it is made anew for others. Throws Error.
  Status pack(const Addresses& addresses) {
    std::array<int64_t, kOperands> names;
    std::array<void*, kOperands> places;
    int64_t count = 0;
    for (size_t i = 0; i < kOperands; ++i) {
      const auto operand = static_cast<CudnnOperand>(i + 1);
      if ((operand == CudnnOperand::kBias && !conv_.bias) || (operand == CudnnOperand::kResidual && !conv_.residual))
        continue;
      names[static_cast<size_t>(count)] = static_cast<int64_t>(operand);
      places[static_cast<size_t>(count++)] = addresses[i];
    }
    CudnnDescriptor d(*library_, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    d.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, count, names.data());
    d.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, count, places.data());
    d.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, addresses[kOperands]);
    d.finalize("cuDNN does not take the addresses of a convolution");
    pack_ = std::move(d);
    packed_ = addresses;
    return kOkStatus;
  }

  Gpu& gpu_;
  CudnnParameters parameters_;
  const Cudnn* library_ = nullptr;
  CudnnHandles* handles_ = nullptr;
  CudnnConv conv_;
  CudnnEpilogue epilogue_;
  FinishCall finish_;
  CudnnPlan plan_;
  CudnnDescriptor pack_;  // of the last launch's addresses
  Addresses packed_ = {};
};

}  // namespace

std::unique_ptr<Kernel> make_cudnn(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<CudnnConvolution>(gpu, read_parameters<CudnnParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
