// Kernel "dynamic_quantize": float32 as uint8, with the scale and zero point that its range, widened to hold zero, asks for. Results:
// y, scale, zero point; the last two may be absent.
#include <cmath>

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

  Status prepare_dense(const KernelCall& call) override { return check_dynamic_quantize(call); }

  Status launch_dense(const KernelCall& call) noexcept override {
    const auto* x = static_cast<const float*>(call.inputs[0].data);
    auto* y = static_cast<uint8_t*>(call.outputs[0].data);
    const int64_t n = call.inputs[0].elements();
    const int threads = useful_threads(thread_count(), 0.5 * static_cast<double>(n));
    float lows[kPieces], highs[kPieces];
    parallel_ranges(threads, kPieces, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        float low = 0, high = 0;
        for (int64_t i = n / kPieces * p + std::min(p, n % kPieces),
                     last = n / kPieces * (p + 1) + std::min(p + 1, n % kPieces);
             i < last; ++i) {
          low = x[i] < low ? x[i] : low;
          high = x[i] > high ? x[i] : high;
        }
        lows[p] = low;
        highs[p] = high;
      }
    });
    const float low = *std::min_element(lows, lows + kPieces), high = *std::max_element(highs, highs + kPieces);
    const float step = (low == high ? 1.0f : high - low) / 255.0f;
    const float zero = std::nearbyint(std::clamp(0.0f - low / step, 0.0f, 255.0f));
    parallel_ranges(threads, n, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const float v = std::nearbyint(x[i] / step) + zero;
        y[i] = static_cast<uint8_t>(!(v > 0) ? 0.0f : v < 255 ? v : 255.0f);
      }
    });
    if (call.outputs.size() > 1 && call.outputs[1].present()) *static_cast<float*>(call.outputs[1].data) = step;
    if (call.outputs.size() > 2 && call.outputs[2].present())
      *static_cast<uint8_t*>(call.outputs[2].data) = static_cast<uint8_t>(zero);
    return kOkStatus;
  }
};

}  // namespace

std::unique_ptr<Kernel> make_dynamic_quantize(const Attributes& p) {
  return std::make_unique<DynamicQuantize>(read_parameters<NoParameters>(p));
}

}  // namespace kiln::cpu::kernels
