// Kernel "pool_any": poolings over any number of dimensions of float16, bfloat16, float32 or float64, or maxima of bytes. Results: the values
// and, for the maximum, positions (int64, may be absent). Parameters: kind (a Pooling), p (of the norm), column_major (of positions), the
// window.
#include "backends/cuda/device/cu/pool_any.h"

#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/pool_parameters.h"

namespace kiln::cuda::kernels {
namespace {

static_assert(SpatialWindow::kMostDimensions == kPoolAnyAxes);

// The suffix of functions; null for types without such functions.
const char* pooled_suffix(DType type, Pooling kind) {
  if (type == DType::kI8 || type == DType::kU8)
    return kind != Pooling::kMaximum ? nullptr : type == DType::kI8 ? "_i8" : "_u8";
  return real_suffix(type);
}

class PoolAny final : public DenseKernel {
 public:
  PoolAny(Gpu& gpu, PoolAnyParameters p) : DenseKernel(gpu), kind_(p.kind), window_(std::move(p.window)) {
    arguments_.p = static_cast<int32_t>(std::min<int64_t>(p.p, INT32_MAX));
    arguments_.column_major = p.column_major;
    arguments_.counts_padding = kind_ == Pooling::kMeanWithPadding;
  }

 private:
  Status prepare_dense(const KernelCall& call) override {
    const bool two = call.outputs.size() == 2;
    if (call.inputs.size() != 1 || (call.outputs.size() != 1 && !(two && kind_ == Pooling::kMaximum)))
      return {Code::kMalformedPlan, "a pooling has other operands"};
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    const char* suffix = pooled_suffix(x.dtype, kind_);
    if (!suffix || y.dtype != x.dtype || x.rank != static_cast<int>(window_.rank()) + 2)
      return {Code::kMalformedPlan, "a pooling has operands of other types or another rank"};
    if (y.rank != x.rank || x.dims[0] != y.dims[0] || x.dims[1] != y.dims[1])
      return {Code::kShapeMismatch, "operands of a pooling do not fit each other"};
    if (two && call.outputs[1].present() && (call.outputs[1].dtype != DType::kI64 || !same_dims(call.outputs[1], y)))
      return {Code::kShapeMismatch, "the positions of a pooling have another shape"};
    const int64_t count = y.elements();
    if (count > INT32_MAX) return {Code::kUnsupported, "the result of a pooling has too many elements"};
    PoolAnyArguments& a = arguments_;
    a.count = static_cast<uint32_t>(count);
    a.axes = x.rank - 2;
    a.plane = extent(x, 2, x.rank);
    for (size_t i = 0; count > 0 && i < window_.rank(); ++i) {
      const int64_t in = x.dims[i + 2], out = y.dims[i + 2];
      if (!window_.fits(i, in, out)) return {Code::kShapeMismatch, "operands of a pooling do not fit each other"};
      const auto [begin, end] = window_.pads(i, in, out);
      a.out[i] = divisor(out);
      a.window[i] = {in, window_.kernel[i], window_.strides[i], window_.dilations[i], begin, end};
    }
    const std::string name = kind_ == Pooling::kMaximum ? "pool_max"
                             : kind_ == Pooling::kNorm  ? "pool_norm"
                                                        : "pool_mean";
    launch_ = {gpu_.function("pool_any", name + suffix)};
    launch_.threads = kPoolAnyThreads;
    launch_.grid[0] = blocks_for(count, kPoolAnyThreads);
    return kOkStatus;
  }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    void *x = call.inputs[0].data, *y = call.outputs[0].data;
    if (kind_ != Pooling::kMaximum) return gpu_.launch(stream, launch_, arguments_, x, y);
    void* positions = call.outputs.size() == 2 ? call.outputs[1].data : nullptr;
    return gpu_.launch(stream, launch_, arguments_, x, y, positions);
  }

  Pooling kind_;
  SpatialWindow window_;
  PoolAnyArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_pool_any(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<PoolAny>(gpu, read_parameters<PoolAnyParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
