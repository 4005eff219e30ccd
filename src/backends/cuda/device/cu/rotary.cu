// RotaryEmbedding: a thread for each pair of elements. Where a position is outside of the angles, the result is not a number: the host does
// not wait to see it.
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/rotary.h"

namespace kiln::cuda {
namespace {

template <class T>
__device__ void turn(const RotaryArguments& a, const T* x, const T* cosines, const T* sines, const int64_t* ids, T* y) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kRotaryThreads + threadIdx.x;
  if (index >= a.count) return;
  const uint32_t of_heads = a.width.quotient(index), i = index - of_heads * a.width.divisor;
  const uint32_t row = a.heads.quotient(of_heads), head = of_heads - row * a.heads.divisor;
  const uint32_t batch = a.steps.quotient(row), step = row - batch * a.steps.divisor;
  const T* from = x + batch * a.x_at.batch + head * a.x_at.head + step * a.x_at.row;
  T* to = y + batch * a.y_at.batch + head * a.y_at.head + step * a.y_at.row;
  if (i >= a.pairs) {
    const uint32_t at = i + a.pairs;
    to[at] = from[at];
    return;
  }
  const int64_t position = ids ? ids[row] : row;
  const bool known = position >= 0 && position < a.positions;
  const float cosine = known ? to_float(cosines[position * a.pairs + i]) : NAN;
  const float sine = known ? to_float(sines[position * a.pairs + i]) : NAN;
  const uint32_t first = a.interleaved ? 2 * i : i, second = a.interleaved ? first + 1 : i + a.pairs;
  const float re = to_float(from[first]), im = to_float(from[second]);
  to[first] = from_float<T>(cosine * re - sine * im);
  to[second] = from_float<T>(sine * re + cosine * im);
}

}  // namespace

#define KILN_ROTARY(name, type)                                                                              \
  extern "C" __global__ void __launch_bounds__(kRotaryThreads)                                              \
      rotary_##name(const __grid_constant__ RotaryArguments a, const type* x, const type* cosines,          \
                    const type* sines, const int64_t* ids, type* y) {                                       \
    turn(a, x, cosines, sines, ids, y);                                                                     \
  }
KILN_ROTARY(f16, __half)
KILN_ROTARY(bf16, __nv_bfloat16)
KILN_ROTARY(f32, float)

}  // namespace kiln::cuda
