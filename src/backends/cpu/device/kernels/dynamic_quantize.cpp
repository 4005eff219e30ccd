// Kernel "dynamic_quantize": float32 as uint8, with the scale and zero point that its range, widened to hold zero, asks for. Results:
// y, scale, zero point; the last two may be absent.
#include <cmath>

#include "backends/cpu/device/compute/byte_maps.h"
#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/dynamic_quantize.h"
#include "device/parameter_fields.h"

namespace kiln::cpu::kernels {
namespace {

class DynamicQuantize final : public DenseKernel {
 public:
  explicit DynamicQuantize(const NoParameters&) {}

 private:
  static constexpr int64_t kPieces = 64;
  static constexpr double kNanosecondsPerNumber = 0.15;

  Status prepare_dense(const KernelCall& call) override { return check_dynamic_quantize(call); }

  Status launch_dense(const KernelCall& call) noexcept override {
    const auto* x = static_cast<const float*>(call.inputs[0].data);
    auto* y = static_cast<uint8_t*>(call.outputs[0].data);
    const int64_t n = call.inputs[0].elements();
    FloatRange ranges[kPieces];
    parallel_ranges(useful_threads(thread_count(), kNanosecondsPerNumber * static_cast<double>(n)), kPieces,
                    [&](int64_t begin, int64_t end) {
                      for (int64_t p = begin; p < end; ++p) {
                        const int64_t first = n / kPieces * p + std::min(p, n % kPieces);
                        ranges[p] = range_of(x + first, n / kPieces + (p < n % kPieces));
                      }
                    });
    float low = 0, high = 0;
    for (const FloatRange& range : ranges) low = std::min(low, range.low), high = std::max(high, range.high);
    const float step = (low == high ? 1.0f : high - low) / 255.0f;
    const float point = std::nearbyint(std::clamp(0.0f - low / step, 0.0f, 255.0f));
    const auto zero = std::isnan(point) ? uint8_t{0} : static_cast<uint8_t>(point);
    if (std::isnan(point)) std::fill_n(y, n, uint8_t{0});  // the range is infinite, or too short for a step
    else quantize_floats(x, y, n, {step, zero, false}, thread_count());
    if (call.outputs.size() > 1 && call.outputs[1].present()) *static_cast<float*>(call.outputs[1].data) = step;
    if (call.outputs.size() > 2 && call.outputs[2].present()) *static_cast<uint8_t*>(call.outputs[2].data) = zero;
    return kOkStatus;
  }
};

}  // namespace

std::unique_ptr<Kernel> make_dynamic_quantize(const Attributes& p) {
  return std::make_unique<DynamicQuantize>(read_parameters<NoParameters>(p));
}

}  // namespace kiln::cpu::kernels
