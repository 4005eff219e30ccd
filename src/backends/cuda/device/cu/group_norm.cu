// Group and instance normalisation: a block for each group of channels of an image. Sums are float32.
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/group_norm.h"

namespace kiln::cuda {
namespace {

template <class T> __device__ void group_norm(const GroupNormArguments& a, const T* x, const T* scale, const T* bias, T* y) {
  begin_kernel();
  __shared__ float shared[32];
  const uint32_t image = a.groups.quotient(blockIdx.x), group = blockIdx.x - image * a.groups.divisor;
  const int64_t first = image * a.batch_stride + group * a.channels * a.channel_stride;
  const auto count = static_cast<uint32_t>(a.channels * a.pixels);
  // Calls f(place, channel of the group) in the order of memory.
  const auto each = [&](const auto& f) {
    for (uint32_t i = threadIdx.x; i < count; i += kGroupThreads) {
      const uint32_t outer = a.inner.quotient(i), inner = i - outer * a.inner.divisor;
      const uint32_t channel = a.channels_last ? inner : outer, pixel = a.channels_last ? outer : inner;
      f(first + channel * a.channel_stride + pixel * a.pixel_stride, channel);
    }
  };
  float mean = 0, squares = 0;
  each([&](int64_t at, uint32_t) { mean += to_float(x[at]); });
  mean = combine_block(mean, 0.0f, shared, Sum()) / count;
  each([&](int64_t at, uint32_t) {
    const float v = to_float(x[at]) - mean;
    squares += v * v;
  });
  const float inverse = 1 / sqrtf(combine_block(squares, 0.0f, shared, Sum()) / count + a.epsilon);
  each([&](int64_t at, uint32_t channel) {
    const uint32_t c = group * a.channels + channel;
    y[at] = from_float<T>((to_float(x[at]) - mean) * inverse * to_float(scale[c]) + to_float(bias[c]));
  });
}

}  // namespace

#define KILN_GROUP_NORM(name, type)                                                                            \
  extern "C" __global__ void __launch_bounds__(kGroupThreads)                                                 \
      group_norm_##name(GroupNormArguments a, const type* x, const type* scale, const type* bias, type* y) {  \
    group_norm(a, x, scale, bias, y);                                                                         \
  }
KILN_GROUP_NORM(f16, __half)
KILN_GROUP_NORM(bf16, __nv_bfloat16)
KILN_GROUP_NORM(f32, float)

}  // namespace kiln::cuda
