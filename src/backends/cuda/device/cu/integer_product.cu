// Products and convolutions of bytes whose weights, zero points and scales only running tells: a thread for each result, whose sum is exact.
#include "backends/cuda/device/cu/byte_numbers.cuh"
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/integer_product.h"

namespace kiln::cuda {
namespace {

__device__ int zero_of(const IntegerOperand& o, int64_t index) {
  return o.zero ? byte_at(o.zero, index * o.zero_step, o.is_signed) : 0;
}

// Quantized as the reference does it: the scales are joined in float32, the product is float64; NaN becomes the least.
__device__ void store_sum(const IntegerResult& r, uint32_t at, uint32_t row, uint32_t column, int64_t sum) {
  if (r.bias) sum += r.bias[column];
  if (!r.a_scale) {
    static_cast<int32_t*>(r.data)[at] = static_cast<int32_t>(sum);
    return;
  }
  const float scales = __fmul_rn(r.a_scale[row * r.a_step], r.b_scale[column * r.b_step]);
  const double scale = __fdiv_rn(scales, r.y_scale[row * r.y_step]);
  const double value = rint(__dmul_rn(static_cast<double>(sum), scale)) + byte_at(r.zero, row * r.zero_step, r.is_signed);
  static_cast<uint8_t*>(r.data)[at] = limited(value, r.is_signed);
}

}  // namespace

extern "C" __global__ void __launch_bounds__(kIntegerThreads)
    integer_product(const __grid_constant__ IntegerProductArguments p) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kIntegerThreads + threadIdx.x;
  if (index >= p.count) return;
  const uint32_t line = p.columns.quotient(index), column = index - line * p.columns.divisor;
  const uint32_t matrix = p.rows.quotient(line), row = line - matrix * p.rows.divisor;
  int64_t at[3];
  p.batch.offsets(matrix, at);
  at[1] += int64_t{row} * p.terms;
  at[2] += column;
  const int a_zero = zero_of(p.a, row), b_zero = zero_of(p.b, column);
  int64_t sum = 0;
  for (uint32_t t = 0; t < p.terms; ++t, at[2] += p.columns.divisor)
    sum += (byte_at(p.a.data, at[1] + t, p.a.is_signed) - a_zero) * (byte_at(p.b.data, at[2], p.b.is_signed) - b_zero);
  store_sum(p.y, index, row, column, sum);
}

extern "C" __global__ void __launch_bounds__(kIntegerThreads) integer_conv(const __grid_constant__ IntegerConvArguments p) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kIntegerThreads + threadIdx.x;
  if (index >= p.count) return;
  uint32_t rest = index;
  int64_t first[kIntegerAxes];
  for (int axis = p.axes - 1; axis >= 0; --axis) {
    const uint32_t outer = p.out[axis].quotient(rest);
    first[axis] = (rest - outer * p.out[axis].divisor) * p.window[axis].stride - p.window[axis].begin;
    rest = outer;
  }
  const uint32_t image = p.columns.quotient(rest), column = rest - image * p.columns.divisor;
  const int64_t x_first = (image * p.groups + p.outputs.quotient(column)) * p.channels * p.plane;
  const int64_t w_first = column * p.channels * p.taps;
  const int x_zero = zero_of(p.x, 0), w_zero = zero_of(p.w, column);
  int64_t sum = 0;
  for (int64_t tap = 0; tap < p.taps; ++tap) {
    int64_t digits = tap, position = 0, step = 1;
    bool inside = true;
    for (int axis = p.axes - 1; axis >= 0; --axis) {
      const IntegerConvAxis& w = p.window[axis];
      const int64_t at = first[axis] + digits % w.taps * w.dilation;
      inside = inside && at >= 0 && at < w.in;
      position += at * step;
      step *= w.in;
      digits /= w.taps;
    }
    // What lies outside counts as the zero point.
    for (int64_t c = 0; inside && c < p.channels; ++c)
      sum += (byte_at(p.x.data, x_first + c * p.plane + position, p.x.is_signed) - x_zero) *
             (byte_at(p.w.data, w_first + c * p.taps + tap, p.w.is_signed) - w_zero);
  }
  store_sum(p.y, index, 0, column, sum);
}

}  // namespace kiln::cuda
