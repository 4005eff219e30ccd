// What the builder and the kernel of convolutions of each channel alone share.
#include "backends/cuda/device/kernels/depthwise.h"

#include <cstring>

#include "backends/cuda/device/cu/conv_depthwise.h"
#include "base/checked.h"

namespace kiln::cuda::kernels {

int64_t depthwise_padded(int64_t channels) { return align_up(channels, int64_t{kDepthwiseLanes}); }

int64_t depthwise_weight_elements(int64_t channels, int64_t taps_h, int64_t taps_w) {
  constexpr const char* kWhat = "packed weights";
  return mul_or_throw(mul_or_throw(taps_h, taps_w, kWhat), depthwise_padded(channels), kWhat);
}

Tensor pack_depthwise_weights(const WeightView& w, DType type) {
  Tensor packed = Tensor::allocate(type, {depthwise_weight_elements(w.groups, w.taps, 1)});
  auto* to = static_cast<uint8_t*>(packed.mutable_data());
  const auto* from = static_cast<const uint8_t*>(w.data);
  for (int64_t tap = 0; tap < w.taps; ++tap, to += depthwise_padded(w.groups) * w.bytes)
    for (int64_t channel = 0; channel < w.groups; ++channel)
      std::memcpy(to + channel * w.bytes, from + (channel * w.group_stride + tap * w.tap_stride) * w.bytes,
                  static_cast<size_t>(w.bytes));
  return packed;
}

int64_t depthwise_tiles(const SlidingWindow& w) {
  const int64_t side = w.kernel[0], stride = w.stride[0];
  if (w.kernel[1] != side || w.stride[1] != stride || w.dilation[0] != 1 || w.dilation[1] != 1) return 0;
  if (side == 3 || side == 5) return stride == 1 ? 3 : stride == 2 ? 2 : 0;
  return side == 7 && stride == 1 ? 2 : 0;
}

}  // namespace kiln::cuda::kernels
