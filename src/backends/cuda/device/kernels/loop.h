// Loops over several tensors of one shape, as few and long axes as possible, in parts that one launch can take.
#pragma once
#include <span>
#include <vector>

#include "backends/cuda/device/cu/walk.h"
#include "tensor/shape.h"

namespace kiln::cuda::kernels {

// `strides` per operand, in elements. Operand 0 is the result: its strides decide the order of the axes.
struct Loop {
  Dims dims;
  std::vector<Dims> strides;
  int64_t count() const;
};
// Axes of one element left out, the others in the order in which the result lies in memory, neighbours merged where all operands
// allow it. The last axis is the one along which the result runs.
Loop merged(const Loop& loop);

// A part of a loop with at most kMaxAxes axes and fewer than 2^31 elements.
struct LoopPart {
  Loop loop;
  std::vector<int64_t> starts;  // per operand, in elements
};
// Throws Error when there are too many parts.
std::vector<LoopPart> parts(const Loop& merged_loop);

template <int kOperands> Walk<kOperands> walk_of(const Loop& loop) {
  Walk<kOperands> walk;
  walk.count = static_cast<uint32_t>(loop.count());
  walk.axes = static_cast<int32_t>(loop.dims.size());
  for (size_t axis = 0; axis < loop.dims.size(); ++axis) {
    walk.dims[axis] = FastDivisor::of(static_cast<uint32_t>(loop.dims[axis]));
    for (size_t k = 0; k < loop.strides.size(); ++k) walk.strides[k][axis] = loop.strides[k][axis];
  }
  return walk;
}

// How a tensor broadcasts to `dims`: 0 along axes that it repeats. The tensor must fit.
Dims broadcast_strides(int rank, const int64_t* dims, const int64_t* strides, size_t result_rank);

}  // namespace kiln::cuda::kernels
