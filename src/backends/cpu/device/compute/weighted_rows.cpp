// Weighted sums of runs of adjacent elements, float32.
#include "backends/cpu/device/compute/weighted_rows.h"

#include "backends/cpu/device/compute/hwy_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/weighted_rows.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE void sum_vector(D d, const float* x, const int64_t* offsets, const float* weights, int64_t terms,
                           float scale, float* to) {
  auto sum = hn::Zero(d);
  for (int64_t t = 0; t < terms; ++t) sum = hn::MulAdd(hn::Set(d, weights[t]), hn::LoadU(d, x + offsets[t]), sum);
  hn::StoreU(hn::Mul(sum, hn::Set(d, scale)), d, to);
}

void sum_all_rows(const float* x, const int64_t* offsets, const float* weights, int64_t terms, float scale,
                  int64_t count, float* to) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) sum_vector(d, x + i, offsets, weights, terms, scale, to + i);
  for (; i < count; ++i) sum_vector(one, x + i, offsets, weights, terms, scale, to + i);
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {

HWY_EXPORT(sum_all_rows);

void weighted_rows(const float* x, const int64_t* offsets, const float* weights, int64_t terms, float scale,
                   int64_t count, float* to) noexcept {
  HWY_DYNAMIC_DISPATCH(sum_all_rows)(x, offsets, weights, terms, scale, count, to);
}

}  // namespace kiln::cpu
#endif
