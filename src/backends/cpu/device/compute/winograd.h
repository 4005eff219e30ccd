// 3x3 convolution of stride 1, float32, channels last, by Winograd's minimal filtering: F(4x4,3x3) needs 4 times fewer
// multiplications than the sum, F(2x2,3x3) 2.25 times. Lavin, Gray: "Fast algorithms for convolutional neural
// networks", 2015.
#pragma once
#include <cstdint>
#include <vector>

#include "backends/cpu/device/compute/conv_nhwc.h"

namespace kiln::cpu {

struct WinogradConfig {
  int32_t tile = 4;   // outputs of a tile in each direction: 2 or 4
  BlockConfig block;  // rows are tiles; block_columns is a multiple of panel
  bool operator==(const WinogradConfig&) const = default;
};

// 3x3, stride 1, dilation 1, one group, not too many channels.
bool winograd_accepts(const ConvShape& shape);
int64_t packed_winograd_floats(const ConvShape& shape, const WinogradConfig& config);
// From OIHW, as pack_conv.
void pack_winograd(const ConvShape& shape, const float* weights, const WinogradConfig& config, float* packed,
                   int threads = 1) noexcept;
// Floats of workspace for winograd_nhwc; 64-byte alignment is wanted.
int64_t winograd_workspace(const ConvShape& shape, const WinogradConfig& config);
// As conv_nhwc, with larger rounding errors: about 3e-6 of the largest sum for tile 4.
void winograd_nhwc(const ConvShape& shape, const float* in, const float* packed, float* out, const Epilogue& epilogue,
                   const WinogradConfig& config, float* workspace) noexcept;

std::vector<WinogradConfig> winograd_configs(const ConvShape& shape, int threads);

}  // namespace kiln::cpu
