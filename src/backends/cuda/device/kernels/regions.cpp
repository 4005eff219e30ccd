// Kernel "grid_sample": samples x [n, c, ...] of one to three dimensions at the points of grid [n, ..., dimensions]. Parameters: mode,
// padding, corners. Kernel "roi_align": regions of x [n, c, h, w] as bins of bilinear samples; inputs x, rois [r, 4], images [r] (int64);
// a region of an image that there is not is NaN: the host does not wait to see it. Parameters: shifted (by half a pixel), maximum, ratio
// (samples of a bin along an axis; 0: as many as it has pixels), scale. float32, float16 or bfloat16.
#include "backends/cuda/device/cu/regions.h"

#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/region_parameters.h"

namespace kiln::cuda::kernels {
namespace {

static_assert(static_cast<int>(GridMode::kLinear) == static_cast<int>(GridSampler::Mode::kLinear) &&
              static_cast<int>(GridMode::kCubic) == static_cast<int>(GridSampler::Mode::kCubic) &&
              static_cast<int>(GridPadding::kBorder) == static_cast<int>(GridSampler::Padding::kBorder) &&
              static_cast<int>(GridPadding::kReflection) == static_cast<int>(GridSampler::Padding::kReflection));

// Of a kernel with a thread for each result; none when there are no results.
Launch launch_of(Gpu& gpu, const std::string& name, DType type, int64_t results) {
  Launch launch{gpu.function("regions", name + float_suffix(type))};
  launch.threads = kRegionThreads;
  launch.grid[0] = blocks_for(results, kRegionThreads);
  return launch;
}

class GridSample final : public DenseKernel {
 public:
  GridSample(Gpu& gpu, const GridSampleParameters& p) : DenseKernel(gpu) {
    arguments_.mode = static_cast<GridMode>(p.mode);
    arguments_.padding = static_cast<GridPadding>(p.padding);
    arguments_.corners = p.corners;
  }

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 2 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "grid_sample has two operands"};
    const TensorView &x = call.inputs[0], &grid = call.inputs[1], &y = call.outputs[0];
    if (!float_suffix(x.dtype) || grid.dtype != x.dtype || y.dtype != x.dtype)
      return {Code::kMalformedPlan, "the operands of grid_sample are all float32, all float16 or all bfloat16"};
    const int axes = x.rank - 2;
    bool fits = axes >= 1 && axes <= kGridAxes && grid.rank == x.rank && y.rank == x.rank &&
                grid.dims[grid.rank - 1] == axes && grid.dims[0] == x.dims[0] && y.dims[0] == x.dims[0] &&
                y.dims[1] == x.dims[1];
    for (int i = 2; fits && i < y.rank; ++i) fits = y.dims[i] == grid.dims[i - 1];
    if (!fits) return {Code::kShapeMismatch, "the operands of grid_sample do not fit each other"};
    GridSampleArguments& a = arguments_;
    a.plane = extent(x, 2, x.rank);
    if (a.plane == 0 && y.elements() > 0) return {Code::kShapeMismatch, "grid_sample takes points of an empty plane"};
    if (y.elements() > INT32_MAX || a.plane > INT32_MAX)
      return {Code::kUnsupported, "grid_sample takes fewer than 2^31 points and elements of a plane"};
    a.axes = axes;
    for (int i = 0; i < axes; ++i) a.dims[i] = static_cast<int32_t>(x.dims[2 + i]);
    a.count = static_cast<uint32_t>(y.elements());
    a.points = divisor(extent(y, 2, y.rank));
    a.channels = divisor(y.dims[1]);
    launch_ = launch_of(gpu_, "grid_sample", x.dtype, y.elements());
    return kOkStatus;
  }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    const void *x = call.inputs[0].data, *grid = call.inputs[1].data;
    void* y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, arguments_, x, grid, y);
  }

  GridSampleArguments arguments_ = {};
  Launch launch_;
};

class RoiAlign final : public DenseKernel {
 public:
  RoiAlign(Gpu& gpu, const RoiAlignParameters& p) : DenseKernel(gpu) {
    arguments_.shifted = p.shifted;
    arguments_.maximum = p.maximum;
    arguments_.ratio = static_cast<int32_t>(p.ratio);
    arguments_.scale = static_cast<float>(p.scale);
  }

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 3 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "roi_align has three operands"};
    const TensorView &x = call.inputs[0], &rois = call.inputs[1], &images = call.inputs[2], &y = call.outputs[0];
    if (!float_suffix(x.dtype) || rois.dtype != x.dtype || y.dtype != x.dtype || images.dtype != DType::kI64)
      return {Code::kMalformedPlan, "roi_align has operands of other types"};
    if (x.rank != 4 || y.rank != 4 || rois.rank != 2 || rois.dims[1] != 4 || rois.dims[0] != y.dims[0] ||
        images.elements() != y.dims[0] || x.dims[1] != y.dims[1] || (y.elements() > 0 && x.dims[2] * x.dims[3] == 0))
      return {Code::kShapeMismatch, "the operands of roi_align do not fit each other"};
    if (y.elements() > INT32_MAX || x.dims[0] > INT32_MAX || x.dims[2] > INT32_MAX / std::max<int64_t>(x.dims[3], 1))
      return {Code::kUnsupported, "roi_align takes fewer than 2^31 results and pixels"};
    RoiAlignArguments& a = arguments_;
    a.count = static_cast<uint32_t>(y.elements());
    a.rows = static_cast<uint32_t>(y.dims[2]);
    a.bins = divisor(y.dims[2] * y.dims[3]);
    a.columns = divisor(y.dims[3]);
    a.channels = divisor(y.dims[1]);
    a.images = static_cast<int32_t>(x.dims[0]);
    a.height = static_cast<int32_t>(x.dims[2]);
    a.width = static_cast<int32_t>(x.dims[3]);
    launch_ = launch_of(gpu_, "roi_align", x.dtype, y.elements());
    return kOkStatus;
  }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    const void *x = call.inputs[0].data, *rois = call.inputs[1].data, *images = call.inputs[2].data;
    void* y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, arguments_, x, rois, images, y);
  }

  RoiAlignArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_grid_sample(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<GridSample>(gpu, read_parameters<GridSampleParameters>(parameters));
}
std::unique_ptr<Kernel> make_roi_align(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<RoiAlign>(gpu, read_parameters<RoiAlignParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
