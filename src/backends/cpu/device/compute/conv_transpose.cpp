// Sums of the taps of transposed convolutions.
#include "backends/cpu/device/compute/conv_transpose.h"

#include <algorithm>

#include "backends/cpu/device/compute/hwy_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/conv_transpose.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// to += from [* scale]
template <bool kScaled>
HWY_INLINE void add_to(float* HWY_RESTRICT to, const float* HWY_RESTRICT from, const float* HWY_RESTRICT scale,
                       int64_t n) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto sum = hn::LoadU(d, to + i), x = hn::LoadU(d, from + i);
    if constexpr (kScaled) hn::StoreU(hn::MulAdd(x, hn::LoadU(d, scale + i), sum), d, to + i);
    else hn::StoreU(hn::Add(sum, x), d, to + i);
  }
  for (; i < n; ++i) to[i] += kScaled ? from[i] * scale[i] : from[i];
}

// The input that tap `tap` carries to output `at` along an axis; -1 when there is none.
HWY_INLINE int64_t source_of(const TransposeShape& s, int axis, int64_t at, int64_t tap) {
  const int64_t from = at + s.begin[axis] - tap * s.dilation[axis];
  if (from < 0 || from % s.stride[axis] != 0 || from / s.stride[axis] >= s.in[axis]) return -1;
  return from / s.stride[axis];
}

// Calls add(pixel, tap) for every input that meets output pixel (row, column).
template <class Add> HWY_INLINE void for_taps(const TransposeShape& s, int64_t row, int64_t column, Add add) {
  for (int64_t ky = 0; ky < s.kernel[0]; ++ky) {
    const int64_t iy = source_of(s, 0, row, ky);
    for (int64_t kx = 0; iy >= 0 && kx < s.kernel[1]; ++kx)
      if (const int64_t ix = source_of(s, 1, column, kx); ix >= 0) add(iy * s.in[1] + ix, ky * s.kernel[1] + kx);
  }
}

template <class Sum>
HWY_INLINE void for_pixels(const TransposeShape& s, const Epilogue& epilogue, int64_t first, int64_t begin, int64_t end,
                           float* y, Sum sum) {
  for (int64_t row = begin; row < end; ++row)
    for (int64_t column = 0; column < s.out[1]; ++column) {
      const int64_t pixel = row * s.out[1] + column;
      float* to = y + pixel * s.out_stride;
      std::fill(to, to + s.out_c, 0.0f);
      sum(row, column, to);
      if (!epilogue.empty()) apply_epilogue(epilogue, to, s.out_c, first * s.out[1] + pixel, 0);
    }
}

void plain_rows(const TransposeShape& s, const float* columns, const Epilogue& epilogue, int64_t first, int64_t begin,
                int64_t end, float* y) {
  const int64_t width = s.out_c / s.groups, taps = s.taps();
  for_pixels(s, epilogue, first, begin, end, y, [&](int64_t row, int64_t column, float* to) {
    for_taps(s, row, column, [&](int64_t pixel, int64_t tap) {
      for (int64_t g = 0; g < s.groups; ++g)
        add_to<false>(to + g * width, columns + ((pixel * s.groups + g) * taps + tap) * width, nullptr, width);
    });
  });
}

void scaled_rows(const TransposeShape& s, const float* x, const float* weights, const Epilogue& epilogue, int64_t first,
                 int64_t begin, int64_t end, float* y) {
  for_pixels(s, epilogue, first, begin, end, y, [&](int64_t row, int64_t column, float* to) {
    for_taps(s, row, column, [&](int64_t pixel, int64_t tap) {
      add_to<true>(to, x + pixel * s.in_stride, weights + tap * s.out_c, s.out_c);
    });
  });
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {

HWY_EXPORT(plain_rows);
HWY_EXPORT(scaled_rows);

void order_taps(const TransposeShape& s, const float* weights, int64_t group, float* ordered) noexcept {
  const int64_t taps = s.taps(), inputs = s.in_c / s.groups, outputs = s.out_c / s.groups;
  if (s.is_depthwise()) {
    for (int64_t c = 0; c < s.in_c; ++c)
      for (int64_t t = 0; t < taps; ++t) ordered[t * s.in_c + c] = weights[c * taps + t];
    return;
  }
  const float* from = weights + group * inputs * outputs * taps;
  for (int64_t i = 0; i < inputs; ++i)
    for (int64_t o = 0; o < outputs; ++o)
      for (int64_t t = 0; t < taps; ++t) ordered[(i * taps + t) * outputs + o] = from[(i * outputs + o) * taps + t];
}

void sum_taps(const TransposeShape& s, const float* columns, const Epilogue& epilogue, int64_t first, int64_t begin,
              int64_t end, float* y) noexcept {
  HWY_DYNAMIC_DISPATCH(plain_rows)(s, columns, epilogue, first, begin, end, y);
}

void sum_scaled_taps(const TransposeShape& s, const float* x, const float* weights, const Epilogue& epilogue,
                     int64_t first, int64_t begin, int64_t end, float* y) noexcept {
  HWY_DYNAMIC_DISPATCH(scaled_rows)(s, x, weights, epilogue, first, begin, end, y);
}

}  // namespace kiln::cpu
#endif
