// Kernel "softmax": softmax or its logarithm along one axis of floats of 16 to 64 bits. Parameters: axis, logarithm.
#include "backends/cuda/device/cu/rows.h"
#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/axis_parameters.h"

namespace kiln::cuda::kernels {
namespace {

class Softmax final : public DenseKernel {
 public:
  Softmax(Gpu& gpu, const SoftmaxParameters& p) : DenseKernel(gpu), axis_(p.axis), logarithm_(p.logarithm) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "softmax has one input and one result"};
    const TensorView &in = call.inputs[0], &out = call.outputs[0];
    const char* suffix = real_suffix(in.dtype);
    if (!suffix || in.dtype != out.dtype) return {Code::kMalformedPlan, "softmax is of floats of 16 to 64 bits"};
    if (!same_dims(in, out) || axis_ < 0 || axis_ >= in.rank) return {Code::kShapeMismatch, "softmax has no such axis"};
    const int axis = static_cast<int>(axis_);
    arguments_ = {extent(in, 0, axis), in.dims[axis], extent(in, axis + 1, in.rank), logarithm_};
    const auto& [outer, n, inner, logarithm] = arguments_;
    const bool words = inner == 1 && n * element_bytes(in.dtype) % kWord == 0;
    const auto function = [&](const char* name) { return gpu_.function("rows", name + std::string(suffix)); };
    launch_ = {function(inner == 1 ? "softmax" : "softmax_columns")};
    launch_.threads = inner == 1 ? kRowThreads : kColumnThreads;
    launch_.grid[0] = n == 0 ? 0 : inner == 1 ? blocks_for(outer, 1) : blocks_for(outer * inner, kColumnThreads);
    in_words_ = words ? function("softmax_words") : launch_.function;
    return kOkStatus;
  }
  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    void *x = call.inputs[0].data, *y = call.outputs[0].data;
    Launch launch = launch_;
    if (is_aligned(x, kWord) && is_aligned(y, kWord)) launch.function = in_words_;
    return gpu_.launch(stream, launch, arguments_, x, y);
  }

  int64_t axis_;
  bool logarithm_;
  SoftmaxArguments arguments_ = {};
  Launch launch_;
  CUfunction in_words_ = nullptr;  // when operands are aligned
};

}  // namespace

std::unique_ptr<Kernel> make_softmax(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<Softmax>(gpu, read_parameters<SoftmaxParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
