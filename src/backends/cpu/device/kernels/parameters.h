// Parameters that several kernels share.
#pragma once
#include <tuple>
#include <utility>
#include "backends/cpu/device/compute/conv_nhwc.h"
#include "backends/cpu/device/compute/epilogue.h"
#include "backends/cpu/device/compute/gemm.h"
#include "backends/cpu/device/kernels/views.h"
#include "device/parameters.h"
#include "tensor/attributes.h"

namespace kiln::cpu::kernels {

using kiln::EpilogueParameters;
using kiln::SlidingWindow;

// Bias and residual may be absent.
Epilogue make_epilogue(const EpilogueParameters& parameters, const TensorView& bias, const TensorView& residual,
                       int64_t residual_stride);

inline constexpr int64_t kMostThreads = 4096;

struct BlockParameters : BlockConfig {
  static constexpr int64_t kMostBlock = 1 << 20;
  template <class V> void fields(V& v) {
    v("panel", panel, 16, 64);
    v("rows", rows, 1, kMostBlock);
    v("depth", depth, 1, kMostBlock);
    v("block_rows", block_rows, 1, kMostBlock);
    v("block_columns", block_columns, 0, kMostBlock);
    v("row_threads", row_threads, 1, kMostThreads);
    v("column_threads", column_threads, 1, kMostThreads);
    v("copy_rows", copy_rows);
  }
  void check() const;  // that panels are whole vectors, tiles not too high, and threads not too many
};

// A convolution between tensors of these sizes; strides are left for the caller.
ConvShape conv_shape(const SlidingWindow& window, int64_t groups, const ImageView& in, const ImageView& out);
}  // namespace kiln::cpu::kernels
