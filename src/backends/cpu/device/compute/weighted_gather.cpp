// Weighted sums of scattered elements, float32.
#include "backends/cpu/device/compute/weighted_gather.h"

#include "backends/cpu/device/compute/hwy_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/weighted_gather.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE void gather_vector(D d, const float* x, const int32_t* offsets, const float* weights, const float* scale,
                              int64_t terms, int64_t stride, float* to) {
  const hn::RebindToSigned<D> di;
  auto sum = hn::Zero(d);
  for (int64_t t = 0; t < terms; ++t) {
    const auto at = hn::LoadU(di, offsets + t * stride);
    const auto none = hn::Lt(at, hn::Zero(di));
    const auto element = hn::GatherIndex(d, x, hn::IfThenZeroElse(none, at));
    sum = hn::MulAdd(hn::LoadU(d, weights + t * stride), hn::IfThenZeroElse(hn::RebindMask(d, none), element), sum);
  }
  hn::StoreU(scale ? hn::Mul(sum, hn::LoadU(d, scale)) : sum, d, to);
}

void gather_all(const float* x, const int32_t* offsets, const float* weights, const float* scale, int64_t terms,
                int64_t stride, int64_t count, float* to) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto at = [&](int64_t i) { return scale ? scale + i : nullptr; };
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) gather_vector(d, x, offsets + i, weights + i, at(i), terms, stride, to + i);
  for (; i < count; ++i) gather_vector(one, x, offsets + i, weights + i, at(i), terms, stride, to + i);
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {

HWY_EXPORT(gather_all);

void weighted_gather(const float* x, const int32_t* offsets, const float* weights, const float* scale, int64_t terms,
                     int64_t stride, int64_t count, float* to) noexcept {
  HWY_DYNAMIC_DISPATCH(gather_all)(x, offsets, weights, scale, terms, stride, count, to);
}

}  // namespace kiln::cpu
#endif
