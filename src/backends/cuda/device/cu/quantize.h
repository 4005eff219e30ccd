// Arguments of the kernels of cu/quantize.cu.
#pragma once
#include "backends/cuda/device/cu/walk.h"
#include "tensor/dtype.h"

namespace kiln::cuda {

inline constexpr int kQuantizeThreads = 128;  // of a block
inline constexpr int kQuantizeLanes = 8;      // adjacent elements of a thread: whole bytes of any type

// Where the scale or zero point of element [outer, i, inner] lies: i counts in blocks.
struct QuantizeParameter {
  const void* data;  // null: no zero point
  DType type;
  int64_t outer, axis, inner;  // strides
};

struct QuantizeArguments {
  const void* x;
  void* y;
  DType from, to;
  uint32_t count;
  FastDivisor extent, inner, block;
  QuantizeParameter scale, zero;
  DType precision;  // of the division
  bool saturate;
};

}  // namespace kiln::cuda
