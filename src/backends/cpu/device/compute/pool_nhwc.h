// Pooling on float32, means and maxima of bytes, and maxima of float16 and bfloat16: NHWC with vectors over channels, any other layout through strides.
#pragma once
#include <cstdint>

#include "backends/cpu/device/compute/byte_maps.h"
#include "backends/cpu/device/compute/nhwc.h"
#include "tensor/dtype.h"

namespace kiln::cpu {

enum class PoolKind : uint8_t { kMax, kAverage, kAverageWithPadding };

struct PoolShape {
  int64_t batch = 1, height = 1, width = 1, channels = 1, out_height = 1, out_width = 1;
  Window2d window;
  int64_t pad_bottom = 0, pad_right = 0;  // elements behind them (ceil mode) do not count in averages
};

// Windows may hang over either end (padding, ceil mode). The maximum of no element is -infinity, the average of none 0.
void pool_nhwc(PoolKind kind, const PoolShape& shape, const float* x, PixelStrides x_strides, float* y,
               PixelStrides y_strides, int threads) noexcept;
// The same with a stride between channels.
void pool_strided(PoolKind kind, const PoolShape& shape, const float* x, PixelStrides x_strides, int64_t x_channel,
                  float* y, PixelStrides y_strides, int64_t y_channel, int threads) noexcept;
// Maxima of bytes, signed or not; the maximum of no element is the least of them.
void max_pool_bytes(const PoolShape& shape, bool is_signed, const uint8_t* x, PixelStrides x_strides, int64_t x_channel,
                    uint8_t* y, PixelStrides y_strides, int64_t y_channel, int threads) noexcept;
// The same of float16 or bfloat16: NaN wins, as in float32; the maximum of no element is -infinity.
void max_pool_halves(const PoolShape& shape, DType type, const uint16_t* x, PixelStrides x_strides, int64_t x_channel,
                     uint16_t* y, PixelStrides y_strides, int64_t y_channel, int threads) noexcept;
// Means of windows of (byte - zero) * scale, each product rounded to float32 and their sum exact; the mean in float32 times the factor is
// quantized. Channels are adjacent.
struct ByteMeans {
  float scale = 1, factor = 1;
  int32_t zero = 0;
  bool is_signed = false;
  Quantizer to = {};
};
void mean_pool_bytes(PoolKind kind, const PoolShape& shape, const ByteMeans& means, const uint8_t* x,
                     PixelStrides x_strides, uint8_t* y, PixelStrides y_strides, int threads) noexcept;
// Mean of all pixels of an image per channel: [batch, height, width, channels] to [batch, channels].
void global_average_nhwc(int64_t batch, int64_t height, int64_t width, int64_t channels, const float* x,
                         PixelStrides x_strides, float* y, int64_t y_image, int threads) noexcept;

}  // namespace kiln::cpu
