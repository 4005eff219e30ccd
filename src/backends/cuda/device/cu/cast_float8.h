// Arguments of the kernels of cu/cast_float8.cu.
#pragma once
#include "tensor/convert.h"

namespace kiln::cuda {

inline constexpr int kCastThreads = 256;  // of a block

struct CastFloat8Arguments {
  int64_t count;
  DType from, to;
  E8M0Rounding rounding;
  bool saturate;
};

}  // namespace kiln::cuda
