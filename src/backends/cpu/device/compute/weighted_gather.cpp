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

// Where no offset is negative, single loads are faster than gathering.
HWY_INLINE void sum_of_four(const float* x, const int32_t* o, const float* w, const float* scale, int64_t stride,
                            int64_t count, float* to) {
  for (int64_t i = 0; i < count; ++i) {
    const float first = w[i] * x[o[i]] + w[stride + i] * x[o[stride + i]];
    const float second = w[2 * stride + i] * x[o[2 * stride + i]] + w[3 * stride + i] * x[o[3 * stride + i]];
    to[i] = scale ? (first + second) * scale[i] : first + second;
  }
}

HWY_INLINE bool any_negative(const int32_t* offsets, int64_t terms, int64_t stride, int64_t count) {
  const hn::ScalableTag<int32_t> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto all = hn::Zero(d);
  int32_t rest = 0;
  for (int64_t t = 0; t < terms; ++t, offsets += stride) {
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) all = hn::Or(all, hn::LoadU(d, offsets + i));
    for (; i < count; ++i) rest |= offsets[i];
  }
  return rest < 0 || !hn::AllFalse(d, hn::Lt(all, hn::Zero(d)));
}

void gather_all(const float* x, const int32_t* offsets, const float* weights, const float* scale, int64_t terms,
                int64_t stride, int64_t count, float* to) {
  if (terms == 4 && !any_negative(offsets, terms, stride, count))
    return sum_of_four(x, offsets, weights, scale, stride, count, to);
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
