// Tiles of a depthwise convolution of bytes: which pixels they read.
#pragma once
#include "backends/cpu/device/compute/depthwise_int8.h"

namespace kiln::cpu {
inline constexpr int64_t kTilePixels = 4;  // of one row of the result
inline constexpr int64_t kSharedColumns = kTilePixels + 2;

// Neighbouring pixels of the result share the interleaved columns.
inline bool shares_columns(const ConvShape& s) { return s.stride_w == 1 && s.dilation_w == 1 && s.kernel_w <= 3; }

// Columns of the image that a tile reads, per kernel row.
inline int64_t tile_columns(const ConvShape& s) {
  return shares_columns(s) ? kSharedColumns : (s.kernel_w + 3) / 4 * 4 * kTilePixels;
}

inline int64_t address_bytes(const VolumeShape& s) {
  const int64_t addresses = (s.kernel_d * s.kernel_h + 1) * tile_columns(s);  // and a row of offsets
  return (addresses * static_cast<int64_t>(sizeof(uint8_t*)) + 63) / 64 * 64;
}

struct DepthwiseCall {
  VolumeShape shape;
  const uint8_t* x;
  bool is_signed;
  int64_t parts;
  const int8_t* packed;
  void* out;
  const uint8_t* padding;  // a pixel
  int64_t row_tiles() const { return (shape.out_w() + kTilePixels - 1) / kTilePixels; }
};

// Writes where the pixels of a tile lie: for each row of each kernel slice, tile_columns() addresses. `slice` counts those of all results;
// `offsets` holds as many as there are columns.
inline void locate_tile(const DepthwiseCall& call, int64_t slice, int64_t oy, int64_t ox, int64_t* offsets,
                        const uint8_t** addresses) {
  const VolumeShape& s = call.shape;
  const int64_t columns = tile_columns(s), left = ox * s.stride_w - s.pad_left;
  for (int64_t c = 0; c < columns; ++c) {
    const int64_t tap = std::min(c / kTilePixels, s.kernel_w - 1);
    const int64_t x = left + (shares_columns(s) ? c : c % kTilePixels * s.stride_w + tap * s.dilation_w);
    offsets[c] = x >= 0 && x < s.in_w ? x * s.in_stride : -1;
  }
  const int64_t line = s.in_w * s.in_stride, out_d = s.out_d();
  const int64_t image = slice / out_d, front = slice % out_d * s.stride_d - s.pad_front;
  for (int64_t k = 0; k < s.kernel_d * s.kernel_h; ++k) {
    const int64_t z = front + k / s.kernel_h * s.dilation_d,
                  y = oy * s.stride_h - s.pad_top + k % s.kernel_h * s.dilation_h;
    const bool inside = z >= 0 && z < s.in_d && y >= 0 && y < s.in_h;
    const uint8_t* row = inside ? call.x + ((image * s.in_d + z) * s.in_h + y) * line : nullptr;
    for (int64_t c = 0; c < columns; ++c) *addresses++ = row && offsets[c] >= 0 ? row + offsets[c] : call.padding;
  }
}

}  // namespace kiln::cpu
