// Masks of attention for a library that makes 0, not NaN, of scores that are all -infinity, and takes those for such that are beyond float32
// when they are multiplied by log2(e). A row that leaves its query no key becomes NaN; one that is deep throughout is halved, which
// changes no weight: next to such numbers scores vanish, and what differs among them differs by more than any power can show. A warp has a row.
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/mask_rows.h"

namespace kiln::cuda {
namespace {

template <class M> __device__ float added(M mask) { return to_float(mask); }
template <> __device__ float added(uint8_t allowed) { return allowed ? 0.0f : -INFINITY; }

template <class M, class T> __device__ void copy_mask(const MaskRowsArguments& a, const M* mask, T* y) {
  begin_kernel();
  const uint32_t row = blockIdx.x * kMaskRows + threadIdx.x / 32, head = a.queries.quotient(row), batch = a.heads.quotient(head);
  if (row >= a.rows) return;
  const uint32_t query = row - head * a.queries.divisor;
  const M* from = mask + batch * a.at.batch + (head - batch * a.heads.divisor) * a.at.head + query * a.at.row;
  const int lane = threadIdx.x % 32, seen = a.causal ? min(a.keys, static_cast<int>(query) + 1) : a.keys;
  float factor = NAN;
  for (int first = 0; first < seen && factor != 1; first += 32) {
    const int key = first + lane;
    const float v = key < seen ? added(from[key * a.key_at]) : -INFINITY;
    if (__any_sync(kAllLanes, v > kDeepMask)) factor = 1;
    else if (__any_sync(kAllLanes, v > -INFINITY)) factor = 0.5f;
  }
  T* to = y + int64_t{row} * a.keys;
  for (int key = lane; key < a.keys; key += 32) to[key] = from_float<T>(factor * added(from[key * a.key_at]));
}

}  // namespace

#define KILN_MASK_ROWS(name, from, to)                                                                        \
  extern "C" __global__ void __launch_bounds__(kMaskThreads)                                                 \
      mask_rows_##name(MaskRowsArguments a, const from* mask, to* y) {                                       \
    copy_mask(a, mask, y);                                                                                   \
  }
KILN_MASK_ROWS(f16, __half, __half)
KILN_MASK_ROWS(bf16, __nv_bfloat16, __nv_bfloat16)
KILN_MASK_ROWS(f32, float, float)
KILN_MASK_ROWS(bool_f16, uint8_t, __half)
KILN_MASK_ROWS(bool_bf16, uint8_t, __nv_bfloat16)

}  // namespace kiln::cuda
