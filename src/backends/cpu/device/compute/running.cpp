// Running sums down the rows of a matrix, float32, a strip of columns at a time.
#include "backends/cpu/device/compute/running.h"

#include "backends/cpu/device/compute/hwy_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/running.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// kVectors whole vectors of columns; each sum stays in a register.
template <int kVectors, class D>
HWY_INLINE void strip(D d, const float* x, float* y, int64_t rows, int64_t stride, bool exclusive) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<D> sums[kVectors];
  for (int v = 0; v < kVectors; ++v) sums[v] = hn::Zero(d);
  for (int64_t j = 0; j < rows; ++j, x += stride, y += stride)
    for (int v = 0; v < kVectors; ++v) {
      const auto before = sums[v];
      sums[v] = hn::Add(before, hn::LoadU(d, x + v * lanes));
      hn::StoreU(exclusive ? before : sums[v], d, y + v * lanes);
    }
}

void sum_columns(const float* x, float* y, int64_t rows, int64_t columns, int64_t stride, bool exclusive) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + 4 * lanes <= columns; i += 4 * lanes) strip<4>(d, x + i, y + i, rows, stride, exclusive);
  for (; i + lanes <= columns; i += lanes) strip<1>(d, x + i, y + i, rows, stride, exclusive);
  for (; i < columns; ++i) strip<1>(one, x + i, y + i, rows, stride, exclusive);
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {

HWY_EXPORT(sum_columns);

void running_sums(const float* x, float* y, int64_t rows, int64_t columns, int64_t stride, bool exclusive,
                  bool reverse) noexcept {
  const int64_t first = reverse ? (rows - 1) * stride : 0;
  HWY_DYNAMIC_DISPATCH(sum_columns)(x + first, y + first, rows, columns, reverse ? -stride : stride, exclusive);
}

}  // namespace kiln::cpu
#endif
