// Depthwise convolution of bytes, channels last, exact in int32.
#pragma once
#include "backends/cpu/device/compute/conv_volume.h"
#include "backends/cpu/device/compute/product_int8.h"

namespace kiln::cpu {

inline constexpr int64_t kDepthwiseBlock = 64;  // to a multiple of which packed channels are rounded up

// Weights are the sum of `parts` signed bytes. Packed: by part, kernel row, four kernel columns and channel, four bytes.
struct DepthwiseWeights {
  int64_t parts = 1, kernel_h = 1, kernel_w = 1, channels = 0;  // kernel_h: rows of all slices
  int64_t quads() const { return (kernel_w + 3) / 4; }
  int64_t packed_channels() const { return (channels + kDepthwiseBlock - 1) / kDepthwiseBlock * kDepthwiseBlock; }
  int64_t part_bytes() const { return kernel_h * quads() * packed_channels() * 4; }
};

// weight(part, channel, tap), taps row by row.
template <class Weight> void pack_depthwise_int8(const DepthwiseWeights& w, const Weight& weight, int8_t* packed) {
  for (int64_t part = 0; part < w.parts; ++part)
    for (int64_t ky = 0; ky < w.kernel_h; ++ky)
      for (int64_t first = 0; first < w.quads() * 4; first += 4)
        for (int64_t c = 0; c < w.packed_channels(); ++c)
          for (int64_t kx = first; kx < first + 4; ++kx)
            *packed++ = c < w.channels && kx < w.kernel_w ? weight(part, c, ky * w.kernel_w + kx) : int8_t{0};
}

// Bytes of scratch for `threads` threads.
int64_t depthwise_int8_scratch(const VolumeShape& shape, int threads);
// groups = in_c = out_c. x holds bytes, to which 128 is added when they are signed; padding is `zero`.
void depthwise_int8(const VolumeShape& shape, const uint8_t* x, bool is_signed, int32_t zero, int64_t parts,
                    const int8_t* packed, void* out, const SumEpilogue& epilogue, int threads,
                    uint8_t* scratch) noexcept;

}  // namespace kiln::cpu
