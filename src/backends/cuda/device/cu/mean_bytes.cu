// Means of windows of dequantized bytes, quantized again. Sums are float64, which holds those of up to 2^21 numbers exactly, in whatever order
// the threads of a window add them up; it is the same in each run.
#include "backends/cuda/device/cu/byte_numbers.cuh"
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/mean_bytes.h"

namespace kiln::cuda {

extern "C" __global__ void __launch_bounds__(kMeanThreads)
    mean_bytes(const __grid_constant__ MeanBytesArguments a, const uint8_t* x, uint8_t* y) {
  begin_kernel();
  __shared__ double sums[kMeanThreads];
  __shared__ int32_t counts[kMeanThreads];
  // Neighbouring threads have neighbouring results.
  const uint32_t results = kMeanThreads / a.shares, own = threadIdx.x % results, share = threadIdx.x / results;
  const uint32_t index = blockIdx.x * results + own;
  const bool there = index < a.results.count;
  int64_t at[4] = {};
  if (there) a.results.offsets(index, at);
  const int64_t first_row = at[2] * a.stride_h - a.top, first_column = at[3] * a.stride_w - a.left;
  double sum = 0;
  int32_t count = 0;
  for (int64_t tap = share; there && tap < a.taps; tap += a.shares) {
    const uint32_t r = a.columns.quotient(static_cast<uint32_t>(tap)), c = static_cast<uint32_t>(tap) - r * a.columns.divisor;
    const int64_t row = first_row + r * a.dilation_h, column = first_column + c * a.dilation_w;
    const bool inside = row >= 0 && row < a.height && column >= 0 && column < a.width;
    count += a.counts_padding ? row < a.height + a.bottom && column < a.width + a.right : inside;
    if (inside) sum += dequantized(a.x, x + at[1], row * a.from_row + column * a.from_column);
  }
  sums[threadIdx.x] = sum;
  counts[threadIdx.x] = count;
  for (int32_t left = a.shares / 2; left > 0; left /= 2) {
    __syncthreads();
    if (share >= left) continue;
    sums[threadIdx.x] += sums[threadIdx.x + left * results];
    counts[threadIdx.x] += counts[threadIdx.x + left * results];
  }
  if (!there || share > 0) return;
  const auto mean = static_cast<float>(__ddiv_rn(sums[threadIdx.x], counts[threadIdx.x]));
  y[at[0]] = quantized(a.y, __fmul_rn(mean, a.factor));
}

}  // namespace kiln::cuda
