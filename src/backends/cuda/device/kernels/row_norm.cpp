// Kernel "row_norm": layer or RMS normalisation over the axes from `axis` on, of floats of 16 to 64 bits; statistics are
// float32, of float64 also float64. Inputs: x, scale, bias (may be absent). Results: y, mean, inverse deviation (may be absent). Parameters: axis,
// epsilon, subtract_mean.
#include "backends/cuda/device/cu/rows.h"
#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/axis_parameters.h"

namespace kiln::cuda::kernels {
namespace {

class RowNorm final : public DenseKernel {
 public:
  RowNorm(Gpu& gpu, const RowNormParameters& p) : DenseKernel(gpu), axis_(p.axis) {
    arguments_.wide_epsilon = p.epsilon;
    arguments_.epsilon = static_cast<float>(p.epsilon);
    arguments_.subtract_mean = p.subtract_mean;
  }

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.empty() || call.inputs.size() > 3 || call.outputs.empty() || call.outputs.size() > 3)
      return {Code::kMalformedPlan, "row_norm has other operands"};
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    const char* suffix = real_suffix(x.dtype);
    if (!suffix) return {Code::kMalformedPlan, "row_norm is of floats of 16 to 64 bits"};
    if (y.dtype != x.dtype || !same_dims(x, y) || axis_ < 0 || axis_ >= x.rank)
      return {Code::kShapeMismatch, "row_norm has no such axis"};
    arguments_.rows = extent(x, 0, static_cast<int>(axis_));
    arguments_.n = extent(x, static_cast<int>(axis_), x.rank);
    arguments_.share = 1 / static_cast<float>(arguments_.n);
    for (size_t i = 1; i < call.inputs.size(); ++i)
      if (call.inputs[i].present() && (call.inputs[i].elements() != arguments_.n || call.inputs[i].dtype != x.dtype))
        return {Code::kShapeMismatch, "scale or bias of row_norm has another size or type than a row"};
    KILN_RETURN_IF_ERROR(check_statistics(call, x.dtype));
    arguments_.vectors_are_constant = true;
    for (size_t i = 1; i < call.inputs.size(); ++i)
      arguments_.vectors_are_constant &= call.inputs[i].host || !call.inputs[i].present();
    any_ = {gpu_.function("rows", "row_norm" + std::string(suffix))};
    any_.threads = kRowThreads;
    any_.grid[0] = blocks_for(arguments_.rows, 1);
    in_words_ = any_;
    if (arguments_.n * element_bytes(x.dtype) % kWord != 0) return kOkStatus;
    if (arguments_.n > kWarpRowElements || x.dtype == DType::kF64) {
      in_words_.function = gpu_.function("rows", "row_norm_words" + std::string(suffix));
      return kOkStatus;
    }
    // Rows of their own multiprocessors while there are some.
    const int64_t warps = arguments_.rows > 4 * int64_t{gpu_.chip().multiprocessors} ? kRowThreads / 32 : 1;
    in_words_ = {gpu_.function("rows", "row_norm_short" + std::string(suffix))};
    in_words_.threads = static_cast<unsigned>(32 * warps);
    in_words_.grid[0] = blocks_for(arguments_.rows, warps);
    return kOkStatus;
  }

  Status check_statistics(const KernelCall& call, DType type) {
    DType found = DType::kInvalid;
    for (size_t i = 1; i < call.outputs.size(); ++i) {
      const TensorView& v = call.outputs[i];
      if (!v.present()) continue;
      const bool fits = v.dtype == DType::kF32 || (type == DType::kF64 && v.dtype == type);
      if (!fits || v.elements() != arguments_.rows || (found != DType::kInvalid && found != v.dtype))
        return {Code::kShapeMismatch,
                "the statistics of row_norm are one number for each row, float32 or, of float64, float64"};
      found = v.dtype;
    }
    arguments_.wide_statistics = found == DType::kF64;
    return kOkStatus;
  }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    RowNormArguments a = arguments_;
    a.scale = call.inputs.size() > 1 ? call.inputs[1].data : nullptr;
    a.bias = call.inputs.size() > 2 ? call.inputs[2].data : nullptr;
    a.mean = call.outputs.size() > 1 ? call.outputs[1].data : nullptr;
    a.inverse_deviation = call.outputs.size() > 2 ? call.outputs[2].data : nullptr;
    void *x = call.inputs[0].data, *y = call.outputs[0].data;
    bool aligned = true;
    for (const void* p : {static_cast<const void*>(x), static_cast<const void*>(y), a.scale, a.bias})
      aligned = aligned && is_aligned(p, kWord);
    return gpu_.launch(stream, aligned ? in_words_ : any_, a, x, y);
  }

  int64_t axis_;
  RowNormArguments arguments_ = {};
  Launch any_, in_words_;  // the second when operands are aligned
};

}  // namespace

std::unique_ptr<Kernel> make_row_norm(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<RowNorm>(gpu, read_parameters<RowNormParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
