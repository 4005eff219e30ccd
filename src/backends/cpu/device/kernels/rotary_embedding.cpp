// Kernel "rotary": turns pairs of each head's elements, float32. Inputs: x [b, heads, t, size] or [b, t, heads * size], cosines and sines
// [positions, half] or [b, t, half], position ids [b, t] (int64, may be absent). Parameters: heads (of three axes), rotated (0: whole
// heads), interleaved.
#include <cstring>

#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/attention_parameters.h"

namespace kiln::cpu::kernels {
namespace {

class Rotary final : public DenseKernel {
 public:
  explicit Rotary(const RotaryParameters& p) : heads_(p.heads), rotated_(p.rotated), interleaved_(p.interleaved) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 4 || call.outputs.size() != 1) return {Code::kMalformedPlan, "rotary has other operands"};
    for (size_t i = 0; i < 3; ++i)
      if (call.inputs[i].dtype != DType::kF32) return {Code::kMalformedPlan, "rotary computes in float32"};
    const TensorView &x = call.inputs[0], &cosines = call.inputs[1], &ids = call.inputs[3];
    if (call.outputs[0].dtype != DType::kF32 || !same_dims(x, call.outputs[0]) || (x.rank != 3 && x.rank != 4) ||
        (x.rank == 3 && (heads_ == 0 || x.dims[2] % heads_ != 0)))
      return {Code::kShapeMismatch, "rotary keeps the shape of its heads"};
    count_ = x.rank == 4 ? x.dims[1] : heads_;
    steps_ = x.rank == 4 ? x.dims[2] : x.dims[1];
    size_ = x.rank == 4 ? x.dims[3] : x.dims[2] / heads_;
    step_stride_ = x.rank == 4 ? size_ : count_ * size_;
    head_stride_ = x.rank == 4 ? steps_ * size_ : size_;
    half_ = (rotated_ == 0 ? size_ : rotated_) / 2;
    if (2 * half_ > size_ || cosines.rank < 1 || !same_dims(cosines, call.inputs[2]) ||
        cosines.dims[cosines.rank - 1] != half_)
      return {Code::kShapeMismatch, "the cosines of rotary have another width"};
    positions_ = extent(cosines, 0, cosines.rank - 1);
    const int64_t rows = x.dims[0] * steps_;
    if (ids.present() ? ids.dtype != DType::kI64 || ids.elements() != rows : positions_ != rows)
      return {Code::kShapeMismatch, "the positions of rotary do not fit"};
    return kOkStatus;
  }

  Status launch_dense(const KernelCall& call) noexcept override {
    const TensorView& x = call.inputs[0];
    if (x.elements() == 0) return kOkStatus;
    const auto* ids = call.inputs[3].present() ? static_cast<const int64_t*>(call.inputs[3].data) : nullptr;
    const int64_t rows = x.dims[0] * steps_;
    for (int64_t r = 0; ids && r < rows; ++r)
      if (ids[r] < 0 || ids[r] >= positions_) return {Code::kInvalidArgument, "a position is outside of the cosines"};
    const int threads = useful_threads(thread_count(), 0.5 * static_cast<double>(x.elements()));
    parallel_ranges(threads, rows * count_, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t row = i / count_, position = (ids ? ids[row] : row) * half_;
        const int64_t at =
            row / steps_ * count_ * steps_ * size_ + row % steps_ * step_stride_ + i % count_ * head_stride_;
        turn(static_cast<const float*>(x.data) + at, static_cast<const float*>(call.inputs[1].data) + position,
             static_cast<const float*>(call.inputs[2].data) + position, static_cast<float*>(call.outputs[0].data) + at);
      }
    });
    return kOkStatus;
  }

  void turn(const float* x, const float* cosines, const float* sines, float* y) const {
    const int64_t first = interleaved_ ? 2 : 1, second = interleaved_ ? 1 : half_;
    for (int64_t i = 0; i < half_; ++i) {
      const float re = x[i * first], im = x[i * first + second];
      y[i * first] = cosines[i] * re - sines[i] * im;
      y[i * first + second] = sines[i] * re + cosines[i] * im;
    }
    std::memcpy(y + 2 * half_, x + 2 * half_, static_cast<size_t>(size_ - 2 * half_) * sizeof(float));
  }

  int64_t heads_, rotated_;
  bool interleaved_;
  int64_t count_ = 0, steps_ = 0, size_ = 0, step_stride_ = 0, head_stride_ = 0, half_ = 0, positions_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_rotary_embedding(const Attributes& p) {
  return std::make_unique<Rotary>(read_parameters<RotaryParameters>(p));
}

}  // namespace kiln::cpu::kernels
