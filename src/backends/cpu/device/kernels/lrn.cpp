// Kernel "lrn": x / (bias + alpha / size * sum of x^2 over `size` neighbouring channels)^beta on float32 [n, c, ...]. Parameters:
// alpha, beta, bias, size.
#include <cmath>

#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "backends/cpu/device/kernels/views.h"
#include "device/region_parameters.h"

namespace kiln::cpu::kernels {
namespace {

class Lrn final : public DenseKernel {
 public:
  explicit Lrn(const LrnParameters& p)
      : beta_(static_cast<float>(p.beta)),
        bias_(static_cast<float>(p.bias)),
        size_(p.size),
        factor_(static_cast<float>(p.alpha / static_cast<double>(p.size))) {}

 private:
  static constexpr int64_t kBlock = 256;  // sums at a time

  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1 || call.inputs[0].dtype != DType::kF32 ||
        call.outputs[0].dtype != DType::kF32)
      return {Code::kMalformedPlan, "lrn computes in float32"};
    const TensorView& in = call.inputs[0];
    if (in.rank < 2 || !same_dims(in, call.outputs[0])) return {Code::kShapeMismatch, "lrn keeps the shape"};
    channels_ = in.dims[1];
    plane_ = extent(in, 2, in.rank);
    return kOkStatus;
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    const int64_t total = call.inputs[0].elements();
    if (total == 0) return kOkStatus;
    const auto* x = static_cast<const float*>(call.inputs[0].data);
    auto* y = static_cast<float*>(call.outputs[0].data);
    const int64_t blocks = (plane_ + kBlock - 1) / kBlock;
    const int threads = useful_threads(thread_count(), 6.0 * static_cast<double>(total));
    if (takes(call)) {
      parallel_ranges(threads, total / channels_, [&](int64_t begin, int64_t end) {
        for (int64_t p = begin; p < end; ++p) pixel(x + p * channels_, y + p * channels_);
      });
      return kOkStatus;
    }
    parallel_ranges(threads, total / (channels_ * plane_) * blocks, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        const int64_t at = b / blocks * channels_ * plane_ + b % blocks * kBlock;
        block(x + at, y + at, std::min(kBlock, plane_ - b % blocks * kBlock));
      }
    });
    return kOkStatus;
  }

  bool takes(const KernelCall& call) const override {
    return call.inputs.size() == 1 && call.outputs.size() == 1 && is_channels_last(call.inputs[0]) &&
           is_channels_last(call.outputs[0]);
  }

  // Channels lie side by side.
  void pixel(const float* x, float* y) const noexcept {
    float sums[kBlock];
    const int64_t below = std::min((size_ - 1) / 2, channels_ - 1), above = std::min(size_ / 2, channels_ - 1);
    for (int64_t first = 0; first < channels_; first += kBlock) {
      const int64_t n = std::min(kBlock, channels_ - first);
      std::fill(sums, sums + n, 0.0f);
      for (int64_t k = -below; k <= above; ++k) {
        const int64_t begin = std::max(first, -k), end = std::min(first + n, channels_ - k);
        for (int64_t c = begin; c < end; ++c) sums[c - first] += x[c + k] * x[c + k];
      }
      for (int64_t i = 0; i < n; ++i) y[first + i] = x[first + i] / power(bias_ + factor_ * sums[i]);
    }
  }

  // Pixels lie side by side.
  void block(const float* x, float* y, int64_t pixels) const noexcept {
    float sums[kBlock];
    for (int64_t c = 0; c < channels_; ++c) {
      const int64_t first = std::max<int64_t>(0, c - (size_ - 1) / 2);
      const int64_t last = c + std::min(size_ / 2, channels_ - 1 - c);
      std::fill(sums, sums + pixels, 0.0f);
      for (int64_t k = first; k <= last; ++k)
        for (int64_t i = 0; i < pixels; ++i) sums[i] += x[k * plane_ + i] * x[k * plane_ + i];
      for (int64_t i = 0; i < pixels; ++i) y[c * plane_ + i] = x[c * plane_ + i] / power(bias_ + factor_ * sums[i]);
    }
  }

  // base^beta; three quarters, which networks use, without logarithms.
  float power(float base) const noexcept {
    if (beta_ != 0.75f || !(base > 0)) return std::pow(base, beta_);
    const float root = std::sqrt(base);
    return root * std::sqrt(root);
  }

  float beta_, bias_;
  int64_t size_;
  float factor_;
  int64_t channels_ = 0, plane_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_lrn(const Attributes& p) {
  return std::make_unique<Lrn>(read_parameters<LrnParameters>(p));
}

}  // namespace kiln::cpu::kernels
