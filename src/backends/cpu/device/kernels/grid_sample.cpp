// Kernel "grid_sample": samples float32 x [n, c, ...] at the points of grid [n, ..., rank]. Parameters: mode, padding, corners.
#include <vector>

#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "tensor/grid_sampling.h"

namespace kiln::cpu::kernels {
namespace {

constexpr int64_t kMostAxes = 3;
constexpr size_t kMostTerms = 64;

class GridSample final : public DenseKernel {
 public:
  explicit GridSample(const Attributes& p)
      : sampler_(GridSampler::named(p.text("mode"), p.text("padding"), p.integer("corners") != 0, {})) {}

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
      GridTerm terms[kMostTerms];
      double point[kMostAxes];
      for (int64_t i = begin; i < end; ++i) {
        for (int64_t a = 0; a < axes; ++a) point[a] = grid[i * axes + a];
        const size_t count = sampler_.terms_at(point, terms);
        const int64_t n = i / points_;
        const auto* x = static_cast<const float*>(call.inputs[0].data) + n * channels * plane_;
        auto* to = static_cast<float*>(y.data) + n * channels * points_ + i % points_;
        for (int64_t c = 0; c < channels; ++c, x += plane_, to += points_) {
          double sum = 0;
          for (size_t t = 0; t < count; ++t) sum += terms[t].weight * static_cast<double>(x[terms[t].offset]);
          *to = static_cast<float>(sum);
        }
      }
    });
    return kOkStatus;
  }

  GridSampler sampler_;
  int64_t plane_ = 0, points_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_grid_sample(const Attributes& p) { return std::make_unique<GridSample>(p); }

}  // namespace kiln::cpu::kernels
