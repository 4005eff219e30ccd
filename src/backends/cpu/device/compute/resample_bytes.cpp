// Resampling of images of bytes by weights.
#include "backends/cpu/device/compute/resample_bytes.h"

#include "backends/cpu/device/compute/hwy_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/resample_bytes.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Elements [begin, elements) in whole vectors; returns where they end.
template <class Byte, class D>
HWY_INLINE int64_t sum_vectors(D d, const uint8_t* const* lines, const double* weights, int64_t count, int64_t begin,
                               int64_t elements, const DequantizedBytes& from, bool first, double* to) {
  const hn::Rebind<float, D> df;
  const hn::Rebind<int32_t, D> di;
  const hn::Rebind<Byte, D> db;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto zero = hn::Set(di, from.zero);
  const auto scale = hn::Set(df, from.scale);
  int64_t i = begin;
  for (; i + lanes <= elements; i += lanes) {
    auto sum = first ? hn::Zero(d) : hn::LoadU(d, to + i);
    for (int64_t k = 0; k < count; ++k) {
      const auto bytes = hn::LoadU(db, reinterpret_cast<const Byte*>(lines[k] + i));
      const auto number = hn::Mul(hn::ConvertTo(df, hn::Sub(hn::PromoteTo(di, bytes), zero)), scale);
      sum = hn::Add(sum, hn::Mul(hn::Set(d, weights[k]), hn::PromoteTo(d, number)));
    }
    hn::StoreU(sum, d, to + i);
  }
  return i;
}

template <class Byte>
HWY_INLINE void sum_lines(const uint8_t* const* lines, const double* weights, int64_t count, int64_t elements,
                          const DequantizedBytes& from, bool first, double* to) {
  const hn::CappedTag<double, 8> wide;
  const hn::CappedTag<double, 1> single;
  const int64_t i = sum_vectors<Byte>(wide, lines, weights, count, 0, elements, from, first, to);
  sum_vectors<Byte>(single, lines, weights, count, i, elements, from, first, to);
}

void sum_lines_of(const uint8_t* const* lines, const double* weights, int64_t count, int64_t elements,
                  const DequantizedBytes& from, bool first, double* to) {
  if (from.is_signed) sum_lines<int8_t>(lines, weights, count, elements, from, first, to);
  else sum_lines<uint8_t>(lines, weights, count, elements, from, first, to);
}

// Channels [begin, channels) of one pixel in whole vectors; returns where they end.
template <class D>
HWY_INLINE int64_t sum_pixel(D d, const DoubleTaps& taps, int64_t pixel, int64_t channels, int64_t begin,
                             const double* line, float* to) {
  const hn::Rebind<float, D> df;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t c = begin;
  for (; c + lanes <= channels; c += lanes) {
    auto sum = hn::Zero(d);
    for (int64_t k = pixel; k < taps.count * taps.out; k += taps.out) {
      const auto at = static_cast<size_t>(k);
      sum = hn::Add(sum, hn::Mul(hn::Set(d, taps.weight[at]), hn::LoadU(d, line + taps.index[at] * channels + c)));
    }
    hn::StoreU(hn::DemoteTo(df, sum), df, to + c);
  }
  return c;
}

void resample_line_of_pixels(const DoubleTaps& taps, int64_t channels, const double* line, float* to) {
  const hn::CappedTag<double, 8> wide;
  const hn::CappedTag<double, 1> single;
  for (int64_t pixel = 0; pixel < taps.out; ++pixel, to += channels) {
    const int64_t c = sum_pixel(wide, taps, pixel, channels, 0, line, to);
    sum_pixel(single, taps, pixel, channels, c, line, to);
  }
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(sum_lines_of);
HWY_EXPORT(resample_line_of_pixels);

void sum_byte_lines(const uint8_t* const* lines, const double* weights, int64_t count, int64_t elements,
                    const DequantizedBytes& from, bool first, double* to) noexcept {
  HWY_DYNAMIC_DISPATCH(sum_lines_of)(lines, weights, count, elements, from, first, to);
}

void resample_pixels(const DoubleTaps& taps, int64_t channels, const double* line, float* to) noexcept {
  HWY_DYNAMIC_DISPATCH(resample_line_of_pixels)(taps, channels, line, to);
}

}  // namespace kiln::cpu
#endif
