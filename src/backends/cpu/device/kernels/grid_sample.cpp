// Kernel "grid_sample": samples float32 x [n, c, ...] at the points of grid [n, ..., rank]. Parameters: mode, padding, corners.
#include <algorithm>
#include <vector>

#include "backends/cpu/device/compute/weighted_gather.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/region_parameters.h"

namespace kiln::cpu::kernels {
namespace {

constexpr int64_t kMostAxes = 3;
constexpr int64_t kMostTerms = 64;
constexpr int64_t kMostPoints = 256;  // whose terms one thread holds

class GridSample final : public DenseKernel {
 public:
  explicit GridSample(const GridSampleParameters& p) : sampler_{p.mode, p.padding, p.corners, {}} {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 2 || call.outputs.size() != 1 || call.inputs[0].dtype != DType::kF32 ||
        call.inputs[1].dtype != DType::kF32 || call.outputs[0].dtype != DType::kF32)
      return {Code::kMalformedPlan, "grid_sample computes in float32"};
    const TensorView &x = call.inputs[0], &grid = call.inputs[1], &y = call.outputs[0];
    const int64_t axes = x.rank - 2;
    bool fits = axes >= 1 && axes <= kMostAxes && grid.rank == x.rank && y.rank == x.rank &&
                grid.dims[grid.rank - 1] == axes && grid.dims[0] == x.dims[0] && y.dims[0] == x.dims[0] &&
                y.dims[1] == x.dims[1];
    for (int i = 2; fits && i < y.rank; ++i) fits = y.dims[i] == grid.dims[i - 1];
    if (!fits) return {Code::kShapeMismatch, "the operands of grid_sample do not fit each other"};
    sampler_.dims.assign(x.dims + 2, x.dims + x.rank);
    plane_ = extent(x, 2, x.rank);
    points_ = extent(y, 2, y.rank);
    if (plane_ > INT32_MAX) return {Code::kUnsupported, "a plane of grid_sample has more than 2^31 elements"};
    if (plane_ == 0 && y.elements() > 0) return {Code::kShapeMismatch, "grid_sample takes points of an empty plane"};
    return kOkStatus;
  }

  Status launch_dense(const KernelCall& call) noexcept override {
    const TensorView& y = call.outputs[0];
    if (y.elements() == 0) return kOkStatus;
    const int64_t channels = y.dims[1], axes = y.rank - 2;
    const auto* grid = static_cast<const float*>(call.inputs[1].data);
    const int threads = useful_threads(thread_count(), 20.0 * static_cast<double>(y.elements()));
    parallel_ranges(threads, y.dims[0] * points_, [&](int64_t begin, int64_t end) {
      Block block(sampler_, axes);
      for (int64_t i = begin; i < end;) {
        const int64_t n = i / points_, first = i % points_, count = std::min({block.room(), end - i, points_ - first});
        block.read(grid + i * axes, count);
        const auto* x = static_cast<const float*>(call.inputs[0].data) + n * channels * plane_;
        auto* to = static_cast<float*>(y.data) + n * channels * points_ + first;
        for (int64_t c = 0; c < channels; ++c) block.sample(x + c * plane_, to + c * points_);
        i += count;
      }
    });
    return kOkStatus;
  }

  // The terms of some points, used for plane after plane.
  class Block {
   public:
    Block(const GridSampler& sampler, int64_t axes) : sampler_(sampler), axes_(axes) {
      const int64_t each = sampler.mode == GridSampler::Mode::kNearest  ? 1
                           : sampler.mode == GridSampler::Mode::kLinear ? 2
                                                                        : 4;
      for (int64_t a = 0; a < axes; ++a) terms_ *= each;
      is_square_ = axes == 2 && each == 2;
    }
    int64_t room() const { return std::min(kMostPoints, kMostPoints * 4 / terms_); }
    void read(const float* grid, int64_t count) noexcept {
      count_ = count;
      for (int64_t i = 0; i < count; ++i)
        if (!is_square_ || !read_square(grid + i * axes_, i)) read_any(grid + i * axes_, i);
    }
    void sample(const float* x, float* to) const noexcept {
      weighted_gather(x, offsets_, weights_, nullptr, terms_, count_, count_, to);
    }

   private:
    // A point between four elements of a plane: no padding comes in. The numbers are those of GridSampler.
    bool read_square(const float* point, int64_t i) noexcept {
      const int64_t height = sampler_.dims[0], width = sampler_.dims[1];
      const double x = at(point[0], width), y = at(point[1], height);
      if (!(x >= 0 && x < static_cast<double>(width - 1) && y >= 0 && y < static_cast<double>(height - 1)))
        return false;
      const auto left = static_cast<int32_t>(x), top = static_cast<int32_t>(y);
      const double h = x - left, v = y - top;
      const auto first = static_cast<int32_t>(top * width + left), below = static_cast<int32_t>(first + width);
      put(0, i, first, (1 - v) * (1 - h));
      put(1, i, first + 1, (1 - v) * h);
      put(2, i, below, v * (1 - h));
      put(3, i, below + 1, v * h);
      return true;
    }
    double at(float normalized, int64_t length) const noexcept {
      const auto from = static_cast<double>(normalized) + 1;
      return sampler_.corners ? from / 2 * static_cast<double>(length - 1)
                              : (from * static_cast<double>(length) - 1) / 2;
    }
    void read_any(const float* grid, int64_t i) noexcept {
      GridTerm terms[kMostTerms];
      double point[kMostAxes];
      for (int64_t a = 0; a < axes_; ++a) point[a] = static_cast<double>(grid[a]);
      const auto found = static_cast<int64_t>(sampler_.terms_at(point, terms));
      for (int64_t t = 0; t < found; ++t) put(t, i, static_cast<int32_t>(terms[t].offset), terms[t].weight);
      for (int64_t t = found; t < terms_; ++t) put(t, i, -1, 0);
    }
    void put(int64_t term, int64_t i, int32_t offset, double weight) noexcept {
      offsets_[term * count_ + i] = offset;
      weights_[term * count_ + i] = static_cast<float>(weight);
    }

    const GridSampler& sampler_;
    int64_t axes_, terms_ = 1, count_ = 0;
    bool is_square_;
    int32_t offsets_[kMostPoints * 4];
    float weights_[kMostPoints * 4];
  };

  GridSampler sampler_;
  int64_t plane_ = 0, points_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_grid_sample(const Attributes& p) {
  return std::make_unique<GridSample>(read_parameters<GridSampleParameters>(p));
}

}  // namespace kiln::cpu::kernels
