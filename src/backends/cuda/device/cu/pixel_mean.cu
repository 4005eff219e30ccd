// Means over all pixels of images whose channels lie innermost: threads side by side have adjacent channels, the others share the
// pixels. Where images are few and large, several blocks have parts of the pixels, and a second kernel adds their sums up.
#include "backends/cuda/device/cu/epilogue.cuh"
#include "backends/cuda/device/cu/pixel_mean.h"

namespace kiln::cuda {
namespace {

template <class T, int kChannels> __device__ void pixel_mean(const PixelMeanArguments& a, const T* x, T* y) {
  begin_kernel();
  constexpr int kAtOnce = 4, kWarps = kPixelMeanThreads / 32;  // loads on their way
  __shared__ float shared[kWarps][kMostPixelMeanLanes * kChannels];
  const uint32_t lane = threadIdx.x % a.lanes, row = threadIdx.x / a.lanes, rows = kPixelMeanThreads / a.lanes;
  const uint32_t channel0 = blockIdx.x * a.lanes * kChannels, channel = channel0 + lane * kChannels;
  const uint32_t begin = static_cast<uint64_t>(a.pixels) * blockIdx.y / a.parts,
                 end = static_cast<uint64_t>(a.pixels) * (blockIdx.y + 1) / a.parts;
  Run<kChannels> sum = {};
  if (channel < a.channels) {
    const T* from = x + blockIdx.z * a.from_image + channel;
    for (uint32_t pixel = begin + row; pixel < end; pixel += kAtOnce * rows) {
      Run<kChannels> v[kAtOnce];
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i)
        v[i] = pixel + i * rows < end ? load_run<T, kChannels>(from + (pixel + i * rows) * a.from_pixel, true, kChannels) : Run<kChannels>{};
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i)
#pragma unroll
        for (int j = 0; j < kChannels; ++j) sum.at[j] += v[i].at[j];
    }
  }
#pragma unroll
  for (int j = 0; j < kChannels; ++j) {
    for (uint32_t step = a.lanes; step < 32; step *= 2) sum.at[j] += __shfl_xor_sync(kAllLanes, sum.at[j], step);
    if (threadIdx.x % 32 < a.lanes) shared[threadIdx.x / 32][lane * kChannels + j] = sum.at[j];
  }
  __syncthreads();
  const uint32_t own = channel0 + threadIdx.x;
  if (threadIdx.x >= a.lanes * kChannels || own >= a.channels) return;
  float total = 0;
#pragma unroll
  for (int i = 0; i < kWarps; ++i) total += shared[i][threadIdx.x];
  if (a.parts > 1) a.sums[(int64_t{blockIdx.z} * a.parts + blockIdx.y) * a.channels + own] = total;
  else y[blockIdx.z * a.to_image + own * a.to_channel] = from_float<T>(total / a.pixels);
}

template <class T> __device__ void pixel_mean_of_parts(const PixelMeanArguments& a, T* y) {
  begin_kernel();
  const uint32_t channel = blockIdx.x * kPixelMeanThreads + threadIdx.x;
  if (channel >= a.channels) return;
  const float* from = a.sums + int64_t{blockIdx.z} * a.parts * a.channels + channel;
  float total = 0;
#pragma unroll 8
  for (uint32_t part = 0; part < a.parts; ++part) total += from[int64_t{part} * a.channels];
  y[blockIdx.z * a.to_image + channel * a.to_channel] = from_float<T>(total / a.pixels);
}

}  // namespace

#define KILN_PIXEL_MEAN(name, type)                                                                              \
  extern "C" __global__ void __launch_bounds__(kPixelMeanThreads)                                                \
      pixel_mean_##name(const __grid_constant__ PixelMeanArguments a, const type* x, type* y) {                  \
    pixel_mean<type, 1>(a, x, y);                                                                                \
  }                                                                                                              \
  extern "C" __global__ void __launch_bounds__(kPixelMeanThreads)                                                \
      pixel_mean_words_##name(const __grid_constant__ PixelMeanArguments a, const type* x, type* y) {            \
    pixel_mean<type, 16 / sizeof(type)>(a, x, y);                                                                \
  }                                                                                                              \
  extern "C" __global__ void __launch_bounds__(kPixelMeanThreads)                                                \
      pixel_mean_of_parts_##name(const __grid_constant__ PixelMeanArguments a, type* y) {                        \
    pixel_mean_of_parts<type>(a, y);                                                                             \
  }
KILN_PIXEL_MEAN(f16, __half)
KILN_PIXEL_MEAN(bf16, __nv_bfloat16)
KILN_PIXEL_MEAN(f32, float)

}  // namespace kiln::cuda
