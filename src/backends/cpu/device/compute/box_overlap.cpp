// Boxes and how much they overlap.
#include "backends/cpu/device/compute/box_overlap.h"

#include "backends/cpu/device/compute/hwy_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/box_overlap.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE bool any_of_vector(D d, const Box& box, const double* at, int64_t room, double threshold) {
  const auto number = [&](double v) { return hn::Set(d, v); };
  const auto row = [&](int64_t k) { return hn::LoadU(d, at + k * room); };
  const auto width = hn::Sub(hn::Min(number(box.x1), row(2)), hn::Max(number(box.x0), row(0)));
  const auto height = hn::Sub(hn::Min(number(box.y1), row(3)), hn::Max(number(box.y0), row(1)));
  const auto zero = hn::Zero(d), area = row(4);
  const auto apart = hn::Or(hn::Or(hn::Le(width, zero), hn::Le(height, zero)), hn::Le(area, zero));
  const auto limit = number(threshold);
  if (hn::AllTrue(d, apart)) return 0 > threshold;
  const auto shared = hn::Mul(width, height);
  const auto part = hn::Div(shared, hn::Sub(hn::Add(number(box.area), area), shared));
  return !hn::AllFalse(d, hn::Gt(hn::IfThenElse(apart, zero, part), limit));
}

bool any_overlap(const Box& box, const double* rows, int64_t room, int64_t count, double threshold) {
  const hn::ScalableTag<double> d;
  const hn::CappedTag<double, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    if (any_of_vector(d, box, rows + i, room, threshold)) return true;
  for (; i < count; ++i)
    if (any_of_vector(one, box, rows + i, room, threshold)) return true;
  return false;
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {

HWY_EXPORT(any_overlap);

bool overlaps_one(const Box& box, const BoxRows& others, int64_t count, double threshold) noexcept {
  if (box.area <= 0) return count > 0 && 0 > threshold;
  return HWY_DYNAMIC_DISPATCH(any_overlap)(box, others.rows, others.room, count, threshold);
}

}  // namespace kiln::cpu
#endif
