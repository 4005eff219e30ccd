// Reductions of rows and of columns of vectors. Long sums are made of float blocks that are added in double.
// Included once per instruction set.
#if defined(KILN_REDUCE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef KILN_REDUCE_INL_H_
#undef KILN_REDUCE_INL_H_
#else
#define KILN_REDUCE_INL_H_
#endif
#include <algorithm>
#include <limits>

#include "backends/cpu/device/compute/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

// map(x) for each element, folded by combine(a, b) whose neutral element is `neutral`. Four independent chains.
template <class T, class V, class Map, class Combine>
HWY_INLINE V fold_block(const T* p, int64_t n, V neutral, const Map& map, const Combine& combine) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  V a0 = neutral, a1 = neutral, a2 = neutral, a3 = neutral;
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    a0 = combine(a0, map(hn::LoadU(d, p + i)));
    a1 = combine(a1, map(hn::LoadU(d, p + i + lanes)));
    a2 = combine(a2, map(hn::LoadU(d, p + i + 2 * lanes)));
    a3 = combine(a3, map(hn::LoadU(d, p + i + 3 * lanes)));
  }
  for (; i + lanes <= n; i += lanes) a0 = combine(a0, map(hn::LoadU(d, p + i)));
  if (i < n) {
    const auto counts = hn::FirstN(d, static_cast<size_t>(n - i));
    a1 = combine(a1, hn::IfThenElse(counts, map(load_part(d, p + i, n - i)), neutral));
  }
  return combine(combine(a0, a1), combine(a2, a3));
}

inline constexpr int64_t kSumBlock = 4096;

template <class T, class Map> HWY_INLINE double sum_row(const T* p, int64_t n, const Map& map) {
  const hn::ScalableTag<T> d;
  auto add = [](auto a, auto b) HWY_ATTR { return hn::Add(a, b); };
  double total = 0;
  for (int64_t i = 0; i < n; i += kSumBlock) {
    const auto sum = fold_block(p + i, std::min(kSumBlock, n - i), hn::Zero(d), map, add);
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum)));
  }
  return total;
}

// NaN when any element is.
template <class T> HWY_INLINE T max_row(const T* p, int64_t n) {
  const hn::ScalableTag<T> d;
  const auto lowest = hn::Set(d, -std::numeric_limits<T>::infinity());
  const auto m = fold_block(
      p, n, lowest, [](auto v) HWY_ATTR { return v; }, [](auto a, auto b) HWY_ATTR { return nan_max(a, b); });
  if (!hn::AllFalse(d, hn::IsNaN(m))) return std::numeric_limits<T>::quiet_NaN();
  return hn::GetLane(hn::MaxOfLanes(d, m));
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
