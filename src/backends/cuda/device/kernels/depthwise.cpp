// What the builder and the kernel of convolutions of each channel alone share.
#include "backends/cuda/device/kernels/depthwise.h"

#include <cstring>

#include "backends/cuda/device/cu/conv_depthwise.h"
#include "base/checked.h"

namespace kiln::cuda::kernels {

int64_t depthwise_padded(int64_t channels) { return align_up(channels, int64_t{kDepthwiseLanes}); }

int64_t depthwise_weight_elements(int64_t taps_h, int64_t taps_w, int64_t group_channels, int64_t channels) {
  constexpr const char* kWhat = "packed weights";
  return mul_or_throw(mul_or_throw(mul_or_throw(taps_h, taps_w, kWhat), group_channels, kWhat),
                      depthwise_padded(channels), kWhat);
}

Tensor pack_depthwise_weights(const WeightView& w, DType type) {
  const int64_t channels = w.groups * w.columns;
  Tensor packed = Tensor::allocate(type, {depthwise_weight_elements(w.taps, 1, w.channels, channels)});
  auto* to = static_cast<uint8_t*>(packed.mutable_data());
  const auto* from = static_cast<const uint8_t*>(w.data);
  for (int64_t tap = 0; tap < w.taps; ++tap)
    for (int64_t c = 0; c < w.channels; ++c, to += depthwise_padded(channels) * w.bytes)
      for (int64_t k = 0; k < channels; ++k) {
        const int64_t at = k / w.columns * w.group_stride + k % w.columns * w.column_stride + tap * w.tap_stride +
                           c * w.channel_stride;
        std::memcpy(to + k * w.bytes, from + at * w.bytes, static_cast<size_t>(w.bytes));
      }
  return packed;
}

int64_t depthwise_tiles(const SlidingWindow& w) {
  const int64_t side = w.kernel[0], stride = w.stride[0];
  if (w.kernel[1] != side || w.stride[1] != stride || w.dilation[0] != 1 || w.dilation[1] != 1) return 0;
  if (side == 3 || side == 5) return stride == 1 ? 3 : stride == 2 ? 2 : 0;
  return side == 7 && stride == 1 ? 2 : 0;
}

bool has_depthwise_boxes(const SlidingWindow& w) { return depthwise_tiles(w) > 0 && w.kernel[0] < 7; }

}  // namespace kiln::cuda::kernels
