// Arguments of the kernels of cu/regions.cu, which sample planes of [n, c, ...] between their elements.
#pragma once
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kRegionThreads = 128;
inline constexpr int kGridAxes = 3, kGridNeighbours = 4;

enum class GridMode : int32_t { kNearest, kLinear, kCubic };
enum class GridPadding : int32_t { kZeros, kBorder, kReflection };

// y[n, c, point] = the plane x[n, c] at grid[n, point], whose last axis holds the coordinates, last dimension first.
struct GridSampleArguments {
  int32_t axes;
  int32_t dims[kGridAxes];  // of a plane
  FastDivisor points, channels;
  uint32_t count;  // of the result
  int64_t plane;   // elements
  GridMode mode;
  GridPadding padding;
  int32_t corners;
};

// y[r, c, bin] = the mean, or largest term, of bilinear samples of x[images[r], c] in the bins of region r.
struct RoiAlignArguments {
  FastDivisor bins, columns, channels;  // of a region; along a row of bins
  uint32_t count, rows;                 // of the result; rows of bins
  int32_t images, height, width;        // of x
  int32_t ratio;                        // samples of a bin along an axis; 0: as many as it has pixels
  int32_t shifted, maximum;
  float scale;
};

}  // namespace kiln::cuda
