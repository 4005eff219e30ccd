// What kernels along one axis share.
#pragma once
#include "backends/cuda/device/cu/lines.h"

#include "backends/cuda/device/kernels/dense.h"
#include "device/axis_parameters.h"

namespace kiln::cuda::kernels {

// The suffix of functions that order elements; null for types without such functions.
inline const char* ordered_suffix(DType type) {
  switch (type) {
    case DType::kI8: return "_i8";
    case DType::kU8: return "_u8";
    case DType::kU64: return "_u64";
    default: return number_suffix(type);
  }
}

class LineKernel : public DenseKernel {
 protected:
  LineKernel(Gpu& gpu, int64_t axis) : DenseKernel(gpu), axis_(axis) {}

  Lines lines_of(const TensorView& x) const {
    const int axis = static_cast<int>(axis_);
    return {extent(x, 0, axis), x.dims[axis], extent(x, axis + 1, x.rank)};
  }
  bool has_axis(const TensorView& x) const { return axis_ >= 0 && axis_ < x.rank; }

  // A warp for each part of a row, or a thread for each part of a column.
  void cover(const std::string& name, const char* suffix, const Lines& l, int64_t parts) {
    const bool rows = l.inner == 1;
    launch_ = {gpu_.function("lines", name + (rows ? "_rows" : "_columns") + suffix)};
    launch_.threads = kLineThreads;
    launch_.grid[0] =
        rows ? blocks_for(l.outer * parts, kLineThreads / 32) : blocks_for(l.outer * l.inner * parts, kLineThreads);
    if (l.n == 0) launch_.grid[0] = 0;
  }

  int64_t axis_;
  Launch launch_;
};

}  // namespace kiln::cuda::kernels
