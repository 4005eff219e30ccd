// Running sums down the rows of a matrix.
#include "backends/cpu/device/compute/running.h"

#include "backends/cpu/device/compute/hwy_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/running.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T> HWY_INLINE void add_rows(const T* a, const T* b, T* y, int64_t columns) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= columns; i += lanes) hn::StoreU(hn::Add(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, y + i);
  for (; i < columns; ++i) y[i] = a[i] + b[i];
}

// Each row from the one before it, which is still at hand.
template <class T>
HWY_INLINE void sum_all(const T* x, T* y, int64_t rows, int64_t columns, int64_t stride, bool exclusive) {
  for (int64_t i = 0; i < columns; ++i) y[i] = exclusive ? T{0} : x[i];
  for (int64_t j = 1; j < rows; ++j, x += stride, y += stride)
    add_rows(y, exclusive ? x : x + stride, y + stride, columns);
}

void sum_f32(const float* x, float* y, int64_t rows, int64_t columns, int64_t stride, bool exclusive) {
  sum_all(x, y, rows, columns, stride, exclusive);
}
void sum_u32(const uint32_t* x, uint32_t* y, int64_t rows, int64_t columns, int64_t stride, bool exclusive) {
  sum_all(x, y, rows, columns, stride, exclusive);
}
void sum_u64(const uint64_t* x, uint64_t* y, int64_t rows, int64_t columns, int64_t stride, bool exclusive) {
  sum_all(x, y, rows, columns, stride, exclusive);
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {

HWY_EXPORT(sum_f32);
HWY_EXPORT(sum_u32);
HWY_EXPORT(sum_u64);

namespace {

// From the last row up, rows follow each other at a negative distance.
template <class T, class Function>
void from_either_end(Function&& sum, const T* x, T* y, int64_t rows, int64_t columns, int64_t stride, bool exclusive,
                     bool reverse) {
  const int64_t first = reverse ? (rows - 1) * stride : 0;
  sum(x + first, y + first, rows, columns, reverse ? -stride : stride, exclusive);
}

}  // namespace

void running_sums(const float* x, float* y, int64_t rows, int64_t columns, int64_t stride, bool exclusive,
                  bool reverse) noexcept {
  from_either_end(HWY_DYNAMIC_DISPATCH(sum_f32), x, y, rows, columns, stride, exclusive, reverse);
}
void running_sums(const uint32_t* x, uint32_t* y, int64_t rows, int64_t columns, int64_t stride, bool exclusive,
                  bool reverse) noexcept {
  from_either_end(HWY_DYNAMIC_DISPATCH(sum_u32), x, y, rows, columns, stride, exclusive, reverse);
}
void running_sums(const uint64_t* x, uint64_t* y, int64_t rows, int64_t columns, int64_t stride, bool exclusive,
                  bool reverse) noexcept {
  from_either_end(HWY_DYNAMIC_DISPATCH(sum_u64), x, y, rows, columns, stride, exclusive, reverse);
}

}  // namespace kiln::cpu
#endif
