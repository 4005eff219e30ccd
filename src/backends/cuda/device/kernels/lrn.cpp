// Kernel "lrn": x / (bias + alpha / size * sum of x^2 over `size` neighbouring channels)^beta on float32, float16 or bfloat16 of [n, c, ...]
// in any layout with strides. Parameters: alpha, beta, bias, size.
#include "backends/cuda/device/cu/lrn.h"

#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/loop.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/region_parameters.h"

namespace kiln::cuda::kernels {
namespace {

class Lrn final : public Kernel {
 public:
  Lrn(Gpu& gpu, const LrnParameters& p) : gpu_(gpu), size_(p.size) {
    arguments_.factor = static_cast<float>(p.alpha / static_cast<double>(p.size));
    arguments_.bias = static_cast<float>(p.bias);
    arguments_.beta = static_cast<float>(p.beta);
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      if (call.inputs.size() != 1 || call.outputs.size() != 1)
        return {Code::kMalformedPlan, "lrn has one operand and one result"};
      const TensorView &x = call.inputs[0], &y = call.outputs[0];
      const char* suffix = float_suffix(x.dtype);
      if (!is_plain(x) || !is_plain(y) || !suffix || x.dtype != y.dtype || x.rank < 2)
        return {Code::kMalformedPlan, "lrn takes plain float32, float16 or bfloat16 with channels"};
      if (!same_dims(x, y)) return {Code::kShapeMismatch, "lrn keeps the shape"};
      launch_ = {};
      launch_.grid[0] = 0;
      if (x.elements() == 0) return kOkStatus;
      if (x.elements() > INT32_MAX) return {Code::kUnsupported, "lrn takes tensors of fewer than 2^31 elements"};
      Loop pixels{{}, {{}, {}}};
      for (int i = 0; i < x.rank; ++i) {
        if (i == 1) continue;
        pixels.dims.push_back(x.dims[i]);
        pixels.strides[0].push_back(y.strides[i]);
        pixels.strides[1].push_back(x.strides[i]);
      }
      const Loop loop = merged(pixels);
      if (loop.dims.size() > kMaxAxes) return {Code::kUnsupported, "lrn takes tensors of fewer axes"};
      LrnArguments& a = arguments_;
      a.pixels = walk_of<2>(loop);
      a.channels = divisor(x.dims[1]);
      a.count = FastDivisor::of(a.pixels.count);
      a.to_channel = y.strides[1];
      a.from_channel = x.strides[1];
      const auto reach = [&](int64_t n) { return static_cast<int32_t>(std::min(n, x.dims[1] - 1)); };
      a.below = reach((size_ - 1) / 2);
      a.above = reach(size_ / 2);
      a.channels_first = x.strides[1] != 1;
      launch_.function = gpu_.function("lrn", "lrn" + std::string(suffix));
      launch_.threads = kLrnThreads;
      launch_.grid[0] = blocks_for(x.elements(), kLrnThreads);
      return kOkStatus;
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    const void* x = call.inputs[0].data;
    void* y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, arguments_, x, y);
  }

 private:
  Gpu& gpu_;
  int64_t size_;
  LrnArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_lrn(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<Lrn>(gpu, read_parameters<LrnParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
