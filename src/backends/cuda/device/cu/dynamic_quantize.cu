// float32 as uint8, with the scale and zero point that its range, widened to hold zero, asks for.
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/dynamic_quantize.h"

namespace kiln::cuda {
namespace {

// NaN is no part of a range.
struct Lower {
  __device__ float operator()(float a, float b) const { return b < a ? b : a; }
};
struct Higher {
  __device__ float operator()(float a, float b) const { return b > a ? b : a; }
};

}  // namespace

extern "C" __global__ void __launch_bounds__(kRangeThreads) range_parts(const __grid_constant__ DynamicQuantizeArguments a) {
  __shared__ float shared[32];
  begin_kernel();
  constexpr uint32_t kAtOnce = 8;  // loads on their way
  float low = 0, high = 0;
  const uint32_t step = a.parts * kRangeThreads;
  for (uint32_t i = blockIdx.x * kRangeThreads + threadIdx.x; i < a.count; i += kAtOnce * step) {
    float values[kAtOnce];
#pragma unroll
    for (uint32_t k = 0; k < kAtOnce; ++k) values[k] = i + k * step < a.count ? a.x[i + k * step] : 0.0f;
#pragma unroll
    for (uint32_t k = 0; k < kAtOnce; ++k) {
      low = Lower()(low, values[k]);
      high = Higher()(high, values[k]);
    }
  }
  low = combine_block(low, 0.0f, shared, Lower());
  high = combine_block(high, 0.0f, shared, Higher());
  if (threadIdx.x != 0) return;
  a.lows[blockIdx.x] = low;
  a.lows[a.parts + blockIdx.x] = high;
}

extern "C" __global__ void __launch_bounds__(kRangeThreads) quantize_range(const __grid_constant__ DynamicQuantizeArguments a) {
  static_assert(kMostRangeBlocks <= kRangeThreads);
  __shared__ float shared[32];
  begin_kernel();
  const bool has_part = threadIdx.x < a.parts;
  const float low = combine_block(has_part ? a.lows[threadIdx.x] : 0.0f, 0.0f, shared, Lower());
  const float high = combine_block(has_part ? a.lows[a.parts + threadIdx.x] : 0.0f, 0.0f, shared, Higher());
  const float step = __fdiv_rn(low == high ? 1.0f : __fsub_rn(high, low), 255.0f);
  const float wanted = __fsub_rn(0.0f, __fdiv_rn(low, step));
  const float zero = rintf(wanted < 0 ? 0.0f : wanted > 255 ? 255.0f : wanted);
  for (uint32_t i = blockIdx.x * kRangeThreads + threadIdx.x; i < a.count; i += gridDim.x * kRangeThreads) {
    const float v = __fadd_rn(rintf(__fdiv_rn(a.x[i], step)), zero);
    a.y[i] = static_cast<uint8_t>(!(v > 0) ? 0.0f : v < 255 ? v : 255.0f);
  }
  if (blockIdx.x != 0 || threadIdx.x != 0) return;
  if (a.scale) *a.scale = step;
  if (a.zero_point) *a.zero_point = static_cast<uint8_t>(zero);
}

}  // namespace kiln::cuda
