// A 1x1 convolution and a depthwise convolution of its results, NHWC float32, in bands of rows that stay in the caches.
#pragma once
#include <cstdint>
#include <optional>

#include "backends/cpu/device/compute/conv_nhwc.h"
#include "backends/cpu/device/compute/nhwc.h"

namespace kiln::cpu {

struct ExpandDepthwiseShape {
  int64_t batch = 1, height = 1, width = 1, in_c = 1, channels = 1, out_height = 1, out_width = 1;
  int64_t in_stride = 1, out_stride = 1;  // floats between pixels, which are otherwise dense
  Window2d window;
};

struct ExpandDepthwiseConfig {
  BlockConfig blocks;  // of the 1x1 convolution; one thread
  int64_t band = 1;    // output rows at a time
  int threads = 1;
};

// Floats; nothing when 64 bits do not hold their number.
std::optional<int64_t> expand_depthwise_workspace(const ExpandDepthwiseShape& shape,
                                                  const ExpandDepthwiseConfig& config);
// `expand` is packed by pack_conv with config.blocks, `depthwise` by pack_depthwise_weights. The rows of the depthwise epilogue are
// output pixels, numbered through all images; the epilogue of the expansion has neither residual nor hook.
void expand_depthwise_nhwc(const ExpandDepthwiseShape& shape, const float* x, const float* expand,
                           const Epilogue& expand_epilogue, const float* depthwise, float* y, const Epilogue& epilogue,
                           const ExpandDepthwiseConfig& config, float* workspace) noexcept;

}  // namespace kiln::cpu
