// Convolution, float32, channels last, as a matrix product whose rows are read where they lie.
#pragma once
#include <cstdint>
#include <vector>

#include "backends/cpu/device/compute/gemm.h"

namespace kiln::cpu {

// Pixels are `in_stride` resp. `out_stride` floats apart and otherwise dense (rows and images follow one another), so
// that input and output may be channel slices of wider tensors.
struct ConvShape {
  int64_t batch = 1, in_h = 1, in_w = 1, in_c = 1, out_c = 1, groups = 1;
  int64_t kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  int64_t in_stride = 1, out_stride = 1;

  int64_t out_h() const { return out_size(in_h + pad_top + pad_bottom, kernel_h, stride_h, dilation_h); }
  int64_t out_w() const { return out_size(in_w + pad_left + pad_right, kernel_w, stride_w, dilation_w); }

 private:
  static int64_t out_size(int64_t padded, int64_t kernel, int64_t stride, int64_t dilation) {
    const int64_t left = padded - dilation * (kernel - 1) - 1;
    return left < 0 ? 0 : left / stride + 1;
  }
};

// Numbers that packed weights take (64-byte alignment is wanted).
int64_t packed_conv_floats(const ConvShape& shape);
// From OIHW: weights[out_c][in_c / groups][kernel_h][kernel_w].
void pack_conv(const ConvShape& shape, const float* weights, const BlockConfig& config, float* packed);

// Floats of workspace for conv_nhwc by weights of that type.
int64_t conv_workspace(const ConvShape& shape, const BlockConfig& config, DType weights = DType::kF32);
// A row of the epilogue is an output pixel, a column an output channel. The residual may be the output itself when it
// is added before the activation.
void conv_nhwc(const ConvShape& shape, const float* in, const PackedWeights& packed, float* out,
               const Epilogue& epilogue, const BlockConfig& config, float* workspace) noexcept;

// Configurations worth measuring, most promising first; never empty.
std::vector<BlockConfig> conv_configs(const ConvShape& shape, int threads);

}  // namespace kiln::cpu
