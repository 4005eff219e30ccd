// Resampling of float32 along one axis.
#include "backends/cpu/device/compute/resample.h"

#include <algorithm>

#include "backends/cpu/device/compute/hwy_targets.h"
#include "backends/cpu/device/compute/parallel.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/resample.cpp"
#include "base/index.h"
#include "hwy/foreach_target.h"

#include "backends/cpu/device/compute/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

// One row of `inner` elements from rows of the input.
void resample_rows(const AxisTaps& taps, int64_t i, int64_t inner, const float* x, float* y) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int32_t* index = taps.index.data() + i;
  const float* weight = taps.weight.data() + i;
  const auto sum = [&](auto load) HWY_ATTR {
    VF a = hn::Zero(d);
    for (int64_t k = 0; k < taps.count; ++k)
      if (const float w = weight[k * taps.out]; w != 0)
        a = hn::MulAdd(hn::Set(d, w), load(x + index[k * taps.out] * inner), a);
    return a;
  };
  int64_t j = 0;
  for (; j + lanes <= inner; j += lanes)
    hn::StoreU(sum([&](const float* row) HWY_ATTR { return hn::LoadU(d, row + j); }), d, y + j);
  if (j < inner)
    store_part(d, sum([&](const float* row) HWY_ATTR { return load_part(d, row + j, inner - j); }), y + j, inner - j);
}

// One row of output elements from one row of input elements.
void resample_line(const AxisTaps& taps, const float* x, float* y) {
  const F32 d;
  const hn::RebindToSigned<F32> di;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < taps.out; i += lanes) {
    const int64_t n = std::min(lanes, taps.out - i);
    VF a = hn::Zero(d);
    for (int64_t k = 0; k < taps.count; ++k) {
      const VF w = load_part_or_all(d, taps.weight.data() + k * taps.out + i, n, lanes);
      const VF v = hn::GatherIndex(d, x, load_part_or_all(di, taps.index.data() + k * taps.out + i, n, lanes));
      a = hn::Add(a, hn::IfThenElseZero(hn::Ne(w, hn::Zero(d)), hn::Mul(w, v)));
    }
    if (n < lanes) store_part(d, a, y + i, n);
    else hn::StoreU(a, d, y + i);
  }
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(resample_rows);
HWY_EXPORT(resample_line);

void resample_axis(const AxisTaps& taps, int64_t outer, int64_t inner, const float* x, float* y, float outside,
                   int threads) noexcept {
  const double work = static_cast<double>(outer * taps.out) * static_cast<double>(inner * taps.count);
  threads = useful_threads(threads, (inner == 1 ? 0.5 : 0.1) * work);
  if (inner == 1) {
    parallel_ranges(threads, outer, [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) {
        float* to = y + o * taps.out;
        HWY_DYNAMIC_DISPATCH(resample_line)(taps, x + o * taps.in, to);
        for (int64_t i = 0; i < taps.out; ++i)
          if (nth(taps.outside, i)) to[i] = outside;
      }
    });
    return;
  }
  parallel_ranges(threads, outer * taps.out, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t o = r / taps.out, i = r % taps.out;
      if (nth(taps.outside, i)) std::fill(y + r * inner, y + (r + 1) * inner, outside);
      else HWY_DYNAMIC_DISPATCH(resample_rows)(taps, i, inner, x + o * taps.in * inner, y + r * inner);
    }
  });
}

}  // namespace kiln::cpu
#endif
