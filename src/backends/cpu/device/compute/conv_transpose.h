// Transposed convolution of channels-last images, float32: products of every pixel with every tap, summed where they meet.
#pragma once
#include <cstdint>

#include "backends/cpu/device/compute/epilogue.h"

namespace kiln::cpu {

// Sizes per axis: rows, columns. Input pixel p meets output p * stride + tap * dilation - begin.
struct TransposeShape {
  int64_t in[2] = {1, 1}, out[2] = {1, 1}, kernel[2] = {1, 1}, stride[2] = {1, 1}, dilation[2] = {1, 1},
          begin[2] = {0, 0};
  int64_t in_c = 0, out_c = 0, groups = 1;
  int64_t in_stride = 0, out_stride = 0;  // floats between pixels
  int64_t taps() const { return kernel[0] * kernel[1]; }
  // Each channel by itself.
  bool is_depthwise() const { return in_c == groups && out_c == groups; }
};

// Weights [in, out / groups, taps] as rows of one group's inputs: [in / groups, taps, out / groups]; of a depthwise one [taps, channels].
void order_taps(const TransposeShape& shape, const float* weights, int64_t group, float* ordered) noexcept;

// Rows [begin, end) of the result of one image, whose first row is row `first` of all images. `columns` holds for each input pixel, then
// group, then tap, the products that go to the group's channels.
void sum_taps(const TransposeShape& shape, const float* columns, const Epilogue& epilogue, int64_t first, int64_t begin,
              int64_t end, float* y) noexcept;
// The same of a depthwise one, from its inputs and ordered weights.
void sum_scaled_taps(const TransposeShape& shape, const float* x, const float* weights, const Epilogue& epilogue,
                     int64_t first, int64_t begin, int64_t end, float* y) noexcept;

}  // namespace kiln::cpu
