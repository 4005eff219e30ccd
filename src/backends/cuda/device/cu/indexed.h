// Arguments of the kernels of cu/indexed.cu.
#pragma once
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kIndexedThreads = 256;  // of a block
inline constexpr int kMaxIndexedAxes = 8;    // that a tuple of indices chooses along

enum class Combine : int32_t { kReplace, kAdd, kMultiply, kLargest, kSmallest };

// Elements of data chosen along one axis. A line is all indices along the axis at one place of the other axes: operand 0 of the walk is
// where it begins in the indices, operand 1 where in the data.
struct ElementsArguments {
  Walk<2> lines;
  uint32_t count;          // indices of a line
  int64_t index_stride;    // between them
  int64_t extent, stride;  // of the axis in the data
  Combine combine;
};

// Slices of data chosen by tuples of indices, of `run` adjacent elements.
struct TuplesArguments {
  uint32_t tuples, total;  // total: elements, or threads, of the launch
  FastDivisor run, per_batch;
  int64_t batch_size;  // elements of the data between batches
  int32_t depth;       // indices of a tuple
  int64_t extents[kMaxIndexedAxes], strides[kMaxIndexedAxes];
  Combine combine;
};

}  // namespace kiln::cuda
