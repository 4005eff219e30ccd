// Kernel "cudnn": a convolution by cuDNN, and what its kernels lack by one of ours. Inputs: x, weights [columns, taps..., channels of a
// group], bias (one element for each column; may be absent where neither a sum nor Relu needs it), residual (like the result; may be
// absent); a program for the results, where there is one. Those of a transposed convolution: [channels of x, taps..., columns of a group],
// and a bias of float32. Images of one type, channels last: float16, bfloat16 or float32. "cudnn_compiled" is the same for one shape, by a plan that was compiled for it.
#include <optional>

#include "backends/cuda/device/cudnn_conv.h"
#include "backends/cuda/device/kernels/cudnn_kernel.h"
#include "backends/cuda/device/kernels/cudnn_kernels.h"
#include "backends/cuda/device/kernels/finish_call.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

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

class CudnnConvolution final : public CudnnKernel {
 public:
  CudnnConvolution(Gpu& gpu, const CudnnParameters& p)
      : CudnnKernel(gpu, p.choice.library, nullptr), parameters_(p), finish_(gpu) {}
  CudnnConvolution(Gpu& gpu, const CudnnCompiledConv& p, Binary compiled)
      : CudnnKernel(gpu, p.choice.library, std::move(compiled)),
        parameters_{.window = p.conv.window, .tf32 = p.conv.tf32, .epilogue = p.epilogue, .choice = p.choice},
        compiled_for_(p.conv),
        finish_(gpu) {}

 private:
  Status read(const KernelCall& call) override {
    if ((call.inputs.size() != kBaseOperands && (!has_program(call) || is_compiled())) || call.outputs.size() != 1)
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
    epilogue_ = has_program(call) ? cudnn_epilogue_of_program(c.window.transposed, bias.present(), residual.present())
                                  : cudnn_epilogue(c.window.transposed, is_compiled(), parameters_.epilogue,
                                                   bias.present(), residual.present());
    if (epilogue_.bias != (bias.present() && !c.window.transposed))
      return {Code::kMalformedPlan, "a convolution has a sum and no bias"};
    c.tf32 = parameters_.tf32;
    c.bias = epilogue_.bias;
    c.residual = epilogue_.residual;
    c.residual_after = epilogue_.residual_after;
    c.activation = epilogue_.activation;
    KILN_RETURN_IF_ERROR(c.fits());
    if (is_compiled() && !(c == compiled_for_)) return kOthers;
    KILN_RETURN_IF_ERROR(has_program(call)
                             ? finish_.plan_program(call, c.y[1])
                             : finish_.plan(y, c.y[1], epilogue_.left, epilogue_.left_bias, epilogue_.left_residual));
    if (c == conv_) return kOkStatus;
    conv_ = std::move(c);
    forget_plan();
    is_empty_ = conv_.is_empty();
    name_operands();
    return kOkStatus;
  }

  void name_operands() {
    using From = Operand::From;
    operands_.clear();
    add(CudnnOperand::kX, From::kInput, 0);
    add(CudnnOperand::kW, From::kInput, 1);
    if (conv_.bias) add(CudnnOperand::kBias, From::kInput, 2);
    if (conv_.residual) add(CudnnOperand::kResidual, From::kInput, 3);
    add(CudnnOperand::kY, From::kOutput, 0);
  }

  static Status check_sums(const KernelCall& call, const CudnnConv& c) {
    const TensorView& bias = call.inputs[2];
    const DType bias_type = c.window.transposed ? DType::kF32 : c.type;
    if (bias.present() && (bias.dtype != bias_type || !is_plain(bias) || !bias.is_dense() || bias.elements() != c.y[1]))
      return {Code::kShapeMismatch, "the bias of a convolution is one element for each column"};
    for (const TensorView* r : {&call.inputs[3], second_residual(call)})
      if (r && r->present() &&
          (r->dtype != c.type || !is_plain(*r) || !same_dims(*r, call.outputs[0]) || !is_channels_last(*r)))
        return {Code::kShapeMismatch, "the sum of a convolution has another shape, type or layout"};
    return kOkStatus;
  }

  // That of the chosen kernel where it can be.
  CudnnPlan make_plan(const CudnnSite& site, size_t workspace) override {
    if (is_compiled()) return compiled_plan(site, workspace);
    const CudnnGraph graph = conv_.graph(*library_, site);
    if (auto chosen = chosen_plan(graph); chosen && chosen->workspace <= workspace) return *std::move(chosen);
    return graph.plan_within(conv_.needs(false), std::min(workspace, CudnnGraph::kMostWorkspace));
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

  Status finish(Stream& stream, const KernelCall& call) noexcept override {
    const void* bias = epilogue_.left_bias ? call.inputs[2].data : nullptr;
    if (has_program(call)) return finish_.launch_program(stream, call, bias);
    return finish_.launch(stream, bias, epilogue_.left_residual ? call.inputs[3].data : nullptr, call.outputs[0].data);
  }

  CudnnParameters parameters_;
  CudnnConv conv_, compiled_for_;
  CudnnEpilogue epilogue_;
  FinishCall finish_;
};

}  // namespace

std::unique_ptr<Kernel> make_cudnn(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<CudnnConvolution>(gpu, read_parameters<CudnnParameters>(parameters));
}

std::unique_ptr<Kernel> compiled_kernel(Gpu& gpu, const CudnnCompiledConv& parameters, const Binary& plan) {
  return std::make_unique<CudnnConvolution>(gpu, parameters, plan);
}

}  // namespace kiln::cuda::kernels
