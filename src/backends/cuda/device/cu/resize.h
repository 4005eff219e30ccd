// Arguments of the kernels of cu/resize.cu.
#pragma once
#include "backends/cuda/device/cu/byte_numbers.h"
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kResizeThreads = 256;  // of a block
inline constexpr int kResizedAxes = 3;      // that change, at most

enum class ResizeMode : int32_t { kNearest, kLinear, kCubic };
enum class NearestMode : int32_t { kPreferFloor, kPreferCeil, kFloor, kCeil };

// Where element i of the result lies in the source: before + (i + 0.5) / scale - after, or i * factor / divisor.
struct ResizedAxis {
  int64_t extent, stride;  // of the source
  int32_t by_halves;
  float scale, before, after, factor, divisor;
};

// Axes of the result, outermost in memory first; strides in elements.
struct ResizeArguments {
  uint32_t count;
  int32_t axes, resized;
  FastDivisor dims[kMaxAxes];
  int64_t from_strides[kMaxAxes], to_strides[kMaxAxes];
  int32_t which[kMaxAxes];  // of the resized ones; negative: the axis stays as it is
  ResizedAxis maps[kResizedAxes];
  ResizeMode mode;
  NearestMode nearest;
  int32_t exclude_outside;
  float cubic;  // Keys' parameter
};

// Images of bytes whose rows and columns are resized, rows first.
struct ResizeBytesArguments {
  Walk<4> results;  // y, x as far as axes stay, row, column
  ResizedAxis rows, columns;
  int32_t resizes_rows, resizes_columns;
  int32_t is_cubic, exclude_outside;
  double cubic;  // Keys' parameter
  ByteNumbers x, y;
};

}  // namespace kiln::cuda
