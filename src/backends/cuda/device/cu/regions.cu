// Samples of planes between their elements: at the points of a grid, or in the bins of regions. A thread for each result.
#include "backends/cuda/device/cu/regions.h"
#include "backends/cuda/device/cu/common.cuh"

namespace kiln::cuda {
namespace {

// Along one axis of `length` elements. Places are float64: where they fall between elements, float32 would choose others.
class GridAxis {
 public:
  __device__ GridAxis(const GridSampleArguments& a, int length)
      : a_(a), length_(length), low_(a.corners ? 0 : -0.5), high_(length - (a.corners ? 1 : 0.5)) {}

  // Elements that a coordinate in [-1, 1] takes, and their weights. Returns how many; zeros are left out.
  __device__ int neighbours(double normalized, int (&at)[kGridNeighbours], float (&weights)[kGridNeighbours]) const {
    const double x = place(normalized);
    if (!isfinite(x)) return 0;
    const double base = floor(x), part = x - base;
    float given[kGridNeighbours] = {1, 0, 0, 0};
    int count = 1, first = 0;
    if (a_.mode == GridMode::kLinear) {
      given[0] = static_cast<float>(1 - part), given[1] = static_cast<float>(part);
      count = 2;
    } else if (a_.mode == GridMode::kCubic) {
      for (int i = 0; i < kGridNeighbours; ++i) given[i] = static_cast<float>(cubic_weight(part + 1 - i));
      count = 4, first = -1;
    }
    int kept = 0;
    for (int i = 0; i < count; ++i) {
      at[kept] = resolve(base + first + i);
      weights[kept] = given[i];
      kept += at[kept] >= 0;
    }
    return kept;
  }

 private:
  __device__ static double cubic_weight(double distance) {
    constexpr double kA = -0.75;
    const double d = fabs(distance);
    if (d <= 1) return ((kA + 2) * d - (kA + 3)) * d * d + 1;
    return d < 2 ? ((kA * d - 5 * kA) * d + 8 * kA) * d - 4 * kA : 0;
  }

  // Folds x back at the borders until it lies between them.
  __device__ double reflected(double x) const {
    const double range = high_ - low_;
    if (range <= 0) return low_;
    if (x >= low_ && x <= high_) return x;
    const double distance = x < low_ ? low_ - x : x - high_;
    const double folds = floor(distance / range), rest = distance - folds * range;
    const bool even = fmod(folds, 2.0) == 0;
    return (x < low_) == even ? low_ + rest : high_ - rest;
  }

  __device__ double place(double normalized) const {
    double x = a_.corners ? (normalized + 1) / 2 * (length_ - 1) : ((normalized + 1) * length_ - 1) / 2;
    if (a_.mode == GridMode::kNearest) x = nearbyint(x);
    if (a_.mode == GridMode::kCubic || (x >= low_ && x <= high_)) return x;
    if (a_.padding == GridPadding::kBorder) return x < 0 ? 0 : x > length_ - 1 ? length_ - 1 : x;
    return a_.padding == GridPadding::kReflection ? reflected(x) : x;
  }

  // The element that stands for index i; -1 for a zero.
  __device__ int resolve(double i) const {
    const double last = length_ - 1;
    if (a_.padding == GridPadding::kReflection) i = trunc(reflected(i));
    if (a_.padding != GridPadding::kZeros) i = i < 0 ? 0 : i > last ? last : i;
    return i >= 0 && i <= last ? static_cast<int>(i) : -1;
  }

  const GridSampleArguments& a_;
  const int length_;
  const double low_, high_;
};

template <class T> __device__ void sample_grid(const GridSampleArguments& a, const T* x, const T* grid, T* y) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kRegionThreads + threadIdx.x;
  if (index >= a.count) return;
  const uint32_t plane = a.points.quotient(index), point = index - plane * a.points.divisor, n = a.channels.quotient(plane);
  const T* from = x + plane * a.plane;
  const T* coordinates = grid + (int64_t{n} * a.points.divisor + point) * a.axes;
  int at[kGridAxes][kGridNeighbours] = {};
  float weights[kGridAxes][kGridNeighbours];
  int counts[kGridAxes] = {1, 1, 1};
#pragma unroll
  for (int axis = 0; axis < kGridAxes; ++axis) {
    weights[axis][0] = 1;
    if (axis < a.axes) counts[axis] = GridAxis(a, a.dims[axis]).neighbours(to_float(coordinates[a.axes - 1 - axis]), at[axis], weights[axis]);
  }
  float sum = 0;
#pragma unroll 1
  for (int i = 0; i < counts[0]; ++i)
#pragma unroll 1
    for (int j = 0; j < counts[1]; ++j)
#pragma unroll 1
      for (int k = 0; k < counts[2]; ++k) {
        int64_t offset = at[0][i];
        if (a.axes > 1) offset = offset * a.dims[1] + at[1][j];
        if (a.axes > 2) offset = offset * a.dims[2] + at[2][k];
        sum += weights[0][i] * weights[1][j] * weights[2][k] * to_float(from[offset]);
      }
  y[index] = from_float<T>(sum);
}

// A region along one axis.
struct Span {
  float start, bin;
  int samples;
  __device__ Span(const RoiAlignArguments& a, float from, float to, int bins) {
    constexpr float kMostSamples = 1 << 20;
    const float offset = a.shifted ? 0.5f : 0.0f;
    start = from * a.scale - offset;
    float size = to * a.scale - offset - start;
    if (!a.shifted) size = fmaxf(size, 1.0f);
    bin = size / bins;
    samples = a.ratio > 0 ? a.ratio : bin > 0 && bin < kMostSamples ? static_cast<int>(ceilf(bin)) : 0;
  }
  __device__ float at(int index, int sample) const { return start + index * bin + (sample + 0.5f) * bin / samples; }
};

// A sample along one axis: two elements and the weight of the second; nothing when it lies too far outside.
struct Sample {
  int low = 0, high = 0;
  float part = 0;
  bool inside;
  __device__ Sample(float at, int extent) : inside(at >= -1 && at <= extent) {
    if (!inside) return;
    at = fmaxf(at, 0.0f);
    low = min(static_cast<int>(at), extent - 1);
    high = min(low + 1, extent - 1);
    part = high == low ? 0 : at - low;
  }
};

template <class T> __device__ void align_regions(const RoiAlignArguments& a, const T* x, const T* rois, const int64_t* images, T* y) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kRegionThreads + threadIdx.x;
  if (index >= a.count) return;
  const uint32_t plane = a.bins.quotient(index), bin = index - plane * a.bins.divisor, roi = a.channels.quotient(plane);
  const int channel = static_cast<int>(plane - roi * a.channels.divisor);
  const int row = static_cast<int>(a.columns.quotient(bin)), column = static_cast<int>(bin - row * a.columns.divisor);
  const int64_t image = images[roi];
  if (image < 0 || image >= a.images) {
    y[index] = from_float<T>(NAN);
    return;
  }
  const T* corners = rois + int64_t{roi} * 4;
  const Span down(a, to_float(corners[1]), to_float(corners[3]), static_cast<int>(a.rows)),
      across(a, to_float(corners[0]), to_float(corners[2]), static_cast<int>(a.columns.divisor));
  const T* from = x + (image * a.channels.divisor + channel) * a.height * a.width;
  float result = 0;
  bool is_first = true;
  for (int i = 0; i < down.samples; ++i) {
    const Sample v(down.at(row, i), a.height);
    for (int j = 0; j < across.samples; ++j) {
      const Sample h(across.at(column, j), a.width);
      const bool inside = v.inside && h.inside;
      const float weights[] = {(1 - v.part) * (1 - h.part), (1 - v.part) * h.part, v.part * (1 - h.part), v.part * h.part};
      const int at[] = {v.low * a.width + h.low, v.low * a.width + h.high, v.high * a.width + h.low, v.high * a.width + h.high};
      for (int k = 0; k < 4; ++k) {
        const float term = inside ? weights[k] * to_float(from[at[k]]) : 0;
        result = !a.maximum ? result + term : is_first && k == 0 ? term : fmaxf(result, term);
      }
      is_first = false;
    }
  }
  y[index] = from_float<T>(a.maximum ? result : result / max(down.samples * across.samples, 1));
}

}  // namespace

#define KILN_REGIONS(name, type)                                                                                         \
  extern "C" __global__ void __launch_bounds__(kRegionThreads)                                                          \
      grid_sample_##name(const __grid_constant__ GridSampleArguments a, const type* x, const type* grid, type* y) {     \
    sample_grid(a, x, grid, y);                                                                                         \
  }                                                                                                                     \
  extern "C" __global__ void __launch_bounds__(kRegionThreads)                                                          \
      roi_align_##name(const __grid_constant__ RoiAlignArguments a, const type* x, const type* rois, const int64_t* images, type* y) { \
    align_regions(a, x, rois, images, y);                                                                               \
  }
KILN_REGIONS(f16, __half)
KILN_REGIONS(bf16, __nv_bfloat16)
KILN_REGIONS(f32, float)

}  // namespace kiln::cuda
