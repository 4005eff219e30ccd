// Every pixel of an image, channels innermost, times the image's own row of channels, in words of 16 bytes.
#include "backends/cuda/device/cu/epilogue.cuh"
#include "backends/cuda/device/cu/scale_pixels.h"

namespace kiln::cuda {
namespace {

template <class T> __device__ void scale_pixels(const ScalePixelsArguments& a, const T* x, const T* factors, T* y) {
  begin_kernel();
  constexpr int kLanes = 16 / sizeof(T);
  const uint32_t index = blockIdx.x * kScaleThreads + threadIdx.x;
  if (index >= a.count) return;
  const uint32_t place = a.words.quotient(index), image = a.runs.quotient(place);
  const uint32_t channel = (index - place * a.words.divisor) * kLanes, pixel0 = (place - image * a.runs.divisor) * kScalePixels;
  const Run<kLanes> factor = load_run<T, kLanes>(factors + image * a.from_row + channel, true, kLanes);
  const int64_t first = int64_t{image} * a.pixels + pixel0;
  Run<kLanes> v[kScalePixels];
#pragma unroll
  for (int i = 0; i < kScalePixels; ++i)
    if (pixel0 + i < a.pixels) v[i] = load_run<T, kLanes>(x + (first + i) * a.from_pixel + channel, true, kLanes);
#pragma unroll
  for (int i = 0; i < kScalePixels; ++i) {
#pragma unroll
    for (int j = 0; j < kLanes; ++j) v[i].at[j] *= factor.at[j];
    if (pixel0 + i < a.pixels) store_run(y + (first + i) * a.to_pixel + channel, v[i], true, kLanes);
  }
}

}  // namespace

#define KILN_SCALE_PIXELS(name, type)                                                                               \
  extern "C" __global__ void __launch_bounds__(kScaleThreads)                                                       \
      scale_pixels_##name(const __grid_constant__ ScalePixelsArguments a, const type* x, const type* factors, type* y) { \
    scale_pixels(a, x, factors, y);                                                                                 \
  }
KILN_SCALE_PIXELS(f16, __half)
KILN_SCALE_PIXELS(bf16, __nv_bfloat16)
KILN_SCALE_PIXELS(f32, float)

}  // namespace kiln::cuda
