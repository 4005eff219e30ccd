// Normalisation over neighbouring channels: a thread for each element.
#include "backends/cuda/device/cu/lrn.h"
#include "backends/cuda/device/cu/common.cuh"

namespace kiln::cuda {
namespace {

template <class T> __device__ void normalize_channels(const LrnArguments& a, const T* x, T* y) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kLrnThreads + threadIdx.x, channels = a.channels.divisor;
  if (index >= a.pixels.count * channels) return;
  const uint32_t quotient = (a.channels_first ? a.count : a.channels).quotient(index);
  const uint32_t rest = index - quotient * (a.channels_first ? a.count : a.channels).divisor;
  const auto channel = static_cast<int32_t>(a.channels_first ? quotient : rest);
  int64_t at[2];
  a.pixels.offsets(a.channels_first ? rest : quotient, at);
  const T* from = x + at[1];
  float sum = 0;
  const int32_t last = min(channel + a.above, static_cast<int32_t>(channels) - 1);
  for (int32_t c = max(channel - a.below, 0); c <= last; ++c) {
    const float v = to_float(from[c * a.from_channel]);
    sum += v * v;
  }
  const float base = a.bias + a.factor * sum;
  y[at[0] + channel * a.to_channel] = from_float<T>(to_float(from[channel * a.from_channel]) / powf(base, a.beta));
}

}  // namespace

#define KILN_LRN(name, type)                                                                          \
  extern "C" __global__ void __launch_bounds__(kLrnThreads)                                          \
      lrn_##name(const __grid_constant__ LrnArguments a, const type* x, type* y) {                   \
    normalize_channels(a, x, y);                                                                     \
  }
KILN_LRN(f16, __half)
KILN_LRN(bf16, __nv_bfloat16)
KILN_LRN(f32, float)

}  // namespace kiln::cuda
