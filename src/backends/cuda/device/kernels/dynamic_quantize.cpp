// Kernel "dynamic_quantize": float32 as uint8, with the scale and zero point that its range, widened to hold zero, asks for. Results:
// y, scale, zero point; the last two may be absent.
#include "backends/cuda/device/cu/dynamic_quantize.h"

#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/dynamic_quantize.h"

namespace kiln::cuda::kernels {
namespace {

class DynamicQuantize final : public DenseKernel {
 public:
  explicit DynamicQuantize(Gpu& gpu) : DenseKernel(gpu) {}

 private:
  static constexpr int64_t kParts = 2 * sizeof(float) * kMostRangeBlocks;  // bytes

  Status prepare_dense(const KernelCall& call) override {
    KILN_RETURN_IF_ERROR(check_dynamic_quantize(call));
    const int64_t count = call.inputs[0].elements();
    if (count > INT32_MAX) return {Code::kUnsupported, "dynamic_quantize takes fewer than 2^31 elements"};
    // Scale and zero point of an empty tensor are stored, too.
    const unsigned blocks = std::clamp(blocks_for(count, kRangeThreads), 1u, static_cast<unsigned>(kMostRangeBlocks));
    range_ = {gpu_.function("dynamic_quantize", "range_parts")};
    quantize_ = {gpu_.function("dynamic_quantize", "quantize_range")};
    range_.threads = quantize_.threads = kRangeThreads;
    range_.grid[0] = blocks;
    quantize_.grid[0] = std::max(blocks_for(count, int64_t{4} * kRangeThreads), 1u);
    arguments_ = {};
    arguments_.count = static_cast<uint32_t>(count);
    arguments_.parts = blocks;
    return kOkStatus;
  }

  size_t workspace_dense(const KernelCall&) override { return kParts; }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    if (call.workspace_size < kParts) return {Code::kMalformedPlan, "the workspace of dynamic_quantize is too small"};
    arguments_.x = pointer_of<const float>(call.inputs[0]);
    arguments_.lows = static_cast<float*>(call.workspace);
    arguments_.y = pointer_of<uint8_t>(call.outputs[0]);
    arguments_.scale = call.outputs.size() > 1 ? pointer_of<float>(call.outputs[1]) : nullptr;
    arguments_.zero_point = call.outputs.size() > 2 ? pointer_of<uint8_t>(call.outputs[2]) : nullptr;
    KILN_RETURN_IF_ERROR(gpu_.launch(stream, range_, arguments_));
    return gpu_.launch(stream, quantize_, arguments_);
  }

  DynamicQuantizeArguments arguments_ = {};
  Launch range_, quantize_;
};

}  // namespace

std::unique_ptr<Kernel> make_dynamic_quantize(Gpu& gpu, const Attributes& parameters) {
  (void)read_parameters<NoParameters>(parameters);
  return std::make_unique<DynamicQuantize>(gpu);
}

}  // namespace kiln::cuda::kernels
