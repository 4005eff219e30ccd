// Pooling on float32, means and maxima of bytes, and maxima of float16 and bfloat16.
#include "backends/cpu/device/compute/pool_nhwc.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/cpu/device/compute/hwy_targets.h"
#include "backends/cpu/device/compute/parallel.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/pool_nhwc.cpp"
#include "hwy/foreach_target.h"

#include "backends/cpu/device/compute/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

// All channels of one output pixel from a rectangle of input pixels. Means divide, so that they are exact where sums are.
template <bool maximum>
HWY_INLINE void pool_pixel(const float* x, int64_t rows, int64_t row_step, int64_t columns, int64_t column_step,
                           int64_t channels, float count, float* y) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const VF start = hn::Set(d, maximum ? -std::numeric_limits<float>::infinity() : 0.0f), divisor = hn::Set(d, count);
  auto combine = [](VF a, VF v) HWY_ATTR {
    // NaN wins in both: it compares false, and a sum keeps it.
    if constexpr (maximum) return hn::IfThenElse(hn::Or(hn::Ge(a, v), hn::IsNaN(a)), a, v);
    else return hn::Add(a, v);
  };
  auto finish = [&](VF a) HWY_ATTR { return maximum ? a : hn::Div(a, divisor); };
  int64_t c = 0;
  for (; c + 2 * lanes <= channels; c += 2 * lanes) {
    VF a = start, b = start;
    for (int64_t r = 0; r < rows; ++r) {
      const float* p = x + r * row_step + c;
      for (int64_t k = 0; k < columns; ++k, p += column_step) {
        a = combine(a, hn::LoadU(d, p));
        b = combine(b, hn::LoadU(d, p + lanes));
      }
    }
    hn::StoreU(finish(a), d, y + c);
    hn::StoreU(finish(b), d, y + c + lanes);
  }
  for (; c < channels; c += lanes) {
    const int64_t n = std::min(lanes, channels - c);
    VF a = start;
    for (int64_t r = 0; r < rows; ++r) {
      const float* p = x + r * row_step + c;
      for (int64_t k = 0; k < columns; ++k, p += column_step)
        a = combine(a, n < lanes ? load_part(d, p, n) : hn::LoadU(d, p));
    }
    if (n < lanes) store_part(d, finish(a), y + c, n);
    else hn::StoreU(finish(a), d, y + c);
  }
}

void pool_pixel_any(bool maximum, const float* x, int64_t rows, int64_t row_step, int64_t columns, int64_t column_step,
                    int64_t channels, float count, float* y) {
  if (maximum) pool_pixel<true>(x, rows, row_step, columns, column_step, channels, count, y);
  else pool_pixel<false>(x, rows, row_step, columns, column_step, channels, count, y);
}

// Maxima of adjacent channels. Signed bytes are compared as unsigned ones when `flip` is 0x80.
void max_bytes(const uint8_t* x, int64_t rows, int64_t row_step, int64_t columns, int64_t column_step, int64_t channels,
               uint8_t flip, uint8_t* y) {
  const hn::CappedTag<uint8_t, 64> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto sign = hn::Set(d, flip);
  int64_t c = 0;
  for (; c + lanes <= channels; c += lanes) {
    auto most = hn::Zero(d);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t k = 0; k < columns; ++k)
        most = hn::Max(most, hn::Xor(hn::LoadU(d, x + r * row_step + k * column_step + c), sign));
    hn::StoreU(hn::Xor(most, sign), d, y + c);
  }
  for (; c < channels; ++c) {
    uint8_t most = 0;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t k = 0; k < columns; ++k)
        most = std::max(most, static_cast<uint8_t>(x[r * row_step + k * column_step + c] ^ flip));
    y[c] = most ^ flip;
  }
}

// Numbers of float16 or bfloat16 as integers of the same order, above which lies what is no number; and back.
template <class D> HWY_INLINE hn::Vec<D> in_order(D d, hn::Vec<D> x, int16_t infinity) {
  const auto magnitude = hn::And(x, hn::Set(d, int16_t{0x7FFF}));
  const auto ordered = hn::Xor(x, hn::And(hn::BroadcastSignBit(x), hn::Set(d, int16_t{0x7FFF})));
  return hn::IfThenElse(hn::Gt(magnitude, hn::Set(d, infinity)), magnitude, ordered);
}
template <class D> HWY_INLINE hn::Vec<D> from_order(D d, hn::Vec<D> x) {
  return hn::Xor(x, hn::And(hn::BroadcastSignBit(x), hn::Set(d, int16_t{0x7FFF})));
}

// Maxima of adjacent channels, whole vectors of D.
template <class D>
HWY_INLINE int64_t max_half_vectors(D d, int16_t infinity, const int16_t* x, int64_t rows, int64_t row_step,
                                    int64_t columns, int64_t column_step, int64_t c, int64_t channels, int16_t* y) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto least = in_order(d, hn::Set(d, static_cast<int16_t>(infinity | 0x8000)), infinity);
  for (; c + lanes <= channels; c += lanes) {
    auto most = least;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t k = 0; k < columns; ++k)
        most = hn::Max(most, in_order(d, hn::LoadU(d, x + r * row_step + k * column_step + c), infinity));
    hn::StoreU(from_order(d, most), d, y + c);
  }
  return c;
}

void max_halves(int16_t infinity, const int16_t* x, int64_t rows, int64_t row_step, int64_t columns,
                int64_t column_step, int64_t channels, int16_t* y) {
  const auto from = [&](auto d, int64_t c) HWY_ATTR {
    return max_half_vectors(d, infinity, x, rows, row_step, columns, column_step, c, channels, y);
  };
  int64_t c = from(hn::CappedTag<int16_t, 32>(), 0);
  c = from(hn::CappedTag<int16_t, 8>(), c);
  from(hn::CappedTag<int16_t, 1>(), c);
}

// Means of some vectors of channels. Sums of float32 in float64 are exact, so that their order does not matter.
template <int vectors, class D, class Byte>
HWY_INLINE void mean_vectors(D wide, const Byte* x, int64_t rows, int64_t row_step, int64_t columns,
                             int64_t column_step, const ByteMeans& m, double count, float* y) {
  const hn::Rebind<float, D> real;
  const hn::Rebind<int32_t, D> whole;
  const hn::Rebind<Byte, D> byte;
  constexpr auto kLanes = static_cast<int64_t>(hn::MaxLanes(D()));
  const auto zero = hn::Set(whole, m.zero);
  const auto scale = hn::Set(real, m.scale), factor = hn::Set(real, m.factor);
  hn::Vec<D> sums[vectors];
  for (auto& sum : sums) sum = hn::Zero(wide);
  for (int64_t r = 0; r < rows; ++r) {
    const Byte* p = x + r * row_step;
    for (int64_t k = 0; k < columns; ++k, p += column_step)
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) {
        const auto integers = hn::Sub(hn::PromoteTo(whole, hn::LoadU(byte, p + v * kLanes)), zero);
        sums[v] = hn::Add(sums[v], hn::PromoteTo(wide, hn::Mul(hn::ConvertTo(real, integers), scale)));
      }
  }
#pragma GCC unroll 4
  for (int v = 0; v < vectors; ++v)
    hn::StoreU(hn::Mul(hn::DemoteTo(real, hn::Div(sums[v], hn::Set(wide, count))), factor), real, y + v * kLanes);
}

// All vectors of D from channel `c` on, `vectors` at once; returns the first channel that is left.
template <int vectors, class D, class Byte>
HWY_INLINE int64_t mean_channels(D wide, const Byte* x, int64_t rows, int64_t row_step, int64_t columns,
                                 int64_t column_step, int64_t c, int64_t channels, const ByteMeans& m, double count,
                                 float* y) {
  constexpr auto kStep = vectors * static_cast<int64_t>(hn::MaxLanes(D()));
  for (; c + kStep <= channels; c += kStep)
    mean_vectors<vectors>(wide, x + c, rows, row_step, columns, column_step, m, count, y + c);
  return c;
}

template <class Byte>
HWY_INLINE void mean_pixel(const Byte* x, int64_t rows, int64_t row_step, int64_t columns, int64_t column_step,
                           int64_t channels, const ByteMeans& m, double count, float* y) {
  const hn::CappedTag<double, 8> wide;
  const hn::CappedTag<double, 1> single;
  int64_t c = mean_channels<4>(wide, x, rows, row_step, columns, column_step, 0, channels, m, count, y);
  c = mean_channels<1>(wide, x, rows, row_step, columns, column_step, c, channels, m, count, y);
  mean_channels<1>(single, x, rows, row_step, columns, column_step, c, channels, m, count, y);
}

// Some channels of one output pixel, before they are quantized.
void mean_bytes(const uint8_t* x, int64_t rows, int64_t row_step, int64_t columns, int64_t column_step,
                int64_t channels, const ByteMeans& m, double count, float* y) {
  if (m.is_signed)
    mean_pixel(reinterpret_cast<const int8_t*>(x), rows, row_step, columns, column_step, channels, m, count, y);
  else mean_pixel(x, rows, row_step, columns, column_step, channels, m, count, y);
}

// Sums of `count` pixels for some channels: rows are added one by one into four partial sums in a fixed order.
void sum_pixels(const float* x, int64_t rows, int64_t row_step, int64_t columns, int64_t pixel_step, int64_t channels,
                float count, float* y) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < channels; c += lanes) {
    const int64_t n = std::min(lanes, channels - c);
    auto load = [&](const float* p) HWY_ATTR { return n < lanes ? load_part(d, p, n) : hn::LoadU(d, p); };
    VF total = hn::Zero(d);
    for (int64_t r = 0; r < rows; ++r) {
      const float* p = x + r * row_step + c;
      VF s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
      int64_t k = 0;
      for (; k + 4 <= columns; k += 4, p += 4 * pixel_step) {
        s0 = hn::Add(s0, load(p));
        s1 = hn::Add(s1, load(p + pixel_step));
        s2 = hn::Add(s2, load(p + 2 * pixel_step));
        s3 = hn::Add(s3, load(p + 3 * pixel_step));
      }
      for (; k < columns; ++k, p += pixel_step) s0 = hn::Add(s0, load(p));
      total = hn::Add(total, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)));
    }
    total = hn::Div(total, hn::Set(d, count));
    if (n < lanes) store_part(d, total, y + c, n);
    else hn::StoreU(total, d, y + c);
  }
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(pool_pixel_any);
HWY_EXPORT(sum_pixels);
HWY_EXPORT(max_bytes);
HWY_EXPORT(max_halves);
HWY_EXPORT(mean_bytes);

namespace {

// Calls pixel(input offset, taps of rows, taps of columns, elements of a mean, output offset) for each output pixel of some rows.
template <class Pixel>
void for_each_window(PoolKind kind, const PoolShape& s, PixelStrides xs, PixelStrides ys, int64_t begin, int64_t end,
                     const Pixel& pixel) {
  const Window2d& w = s.window;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t image = row / s.out_height, oh = row % s.out_height, top = oh * w.stride_h - w.pad_top;
    const Taps rows = inner_taps(top, w.kernel_h, w.dilation_h, s.height);
    const Taps padded_rows = inner_taps(top + w.pad_top, w.kernel_h, w.dilation_h, s.height + w.pad_top + s.pad_bottom);
    for (int64_t ow = 0; ow < s.out_width; ++ow) {
      const int64_t left = ow * w.stride_w - w.pad_left;
      const Taps columns = inner_taps(left, w.kernel_w, w.dilation_w, s.width);
      int64_t count = (rows.end - rows.begin) * (columns.end - columns.begin);
      const bool none = count == 0;
      if (kind == PoolKind::kAverageWithPadding) {
        const Taps padded = inner_taps(left + w.pad_left, w.kernel_w, w.dilation_w, s.width + w.pad_left + s.pad_right);
        count = (padded_rows.end - padded_rows.begin) * (padded.end - padded.begin);
      }
      const int64_t x =
          image * xs.image +
          (none ? 0 : (top + rows.begin * w.dilation_h) * xs.row + (left + columns.begin * w.dilation_w) * xs.pixel);
      pixel(x, none ? 0 : rows.end - rows.begin, columns.end - columns.begin, static_cast<float>(count),
            image * ys.image + oh * ys.row + ow * ys.pixel);
    }
  }
}

int pool_threads(const PoolShape& s, int threads) {
  const double taps = static_cast<double>(s.window.kernel_h * s.window.kernel_w);
  return useful_threads(threads, 0.03 * taps * static_cast<double>(s.batch * s.out_height * s.out_width * s.channels));
}

}  // namespace

void pool_nhwc(PoolKind kind, const PoolShape& s, const float* x, PixelStrides xs, float* y, PixelStrides ys,
               int threads) noexcept {
  const int64_t row_step = s.window.dilation_h * xs.row, column_step = s.window.dilation_w * xs.pixel;
  parallel_ranges(pool_threads(s, threads), s.batch * s.out_height, [&](int64_t begin, int64_t end) {
    for_each_window(
        kind, s, xs, ys, begin, end, [&](int64_t from, int64_t rows, int64_t columns, float count, int64_t to) {
          HWY_DYNAMIC_DISPATCH(pool_pixel_any)
          (kind == PoolKind::kMax, x + from, rows, row_step, columns, column_step, s.channels, count, y + to);
        });
  });
}

void pool_strided(PoolKind kind, const PoolShape& s, const float* x, PixelStrides xs, int64_t x_channel, float* y,
                  PixelStrides ys, int64_t y_channel, int threads) noexcept {
  const int64_t row_step = s.window.dilation_h * xs.row, column_step = s.window.dilation_w * xs.pixel;
  const int64_t rows_per_channel = s.batch * s.out_height;
  parallel_ranges(pool_threads(s, threads), s.channels, [&](int64_t first, int64_t last) {
    for (int64_t c = first; c < last; ++c) {
      for_each_window(kind, s, xs, ys, 0, rows_per_channel,
                      [&](int64_t from, int64_t rows, int64_t columns, float count, int64_t to) {
                        const float* p = x + from + c * x_channel;
                        float value = kind == PoolKind::kMax ? -std::numeric_limits<float>::infinity() : 0.0f;
                        for (int64_t r = 0; r < rows; ++r) {
                          for (int64_t k = 0; k < columns; ++k) {
                            const float v = p[r * row_step + k * column_step];
                            if (kind != PoolKind::kMax) value += v;
                            else if (!(value >= v || std::isnan(value))) value = v;
                          }
                        }
                        y[to + c * y_channel] = kind == PoolKind::kMax ? value : value / count;
                      });
    }
  });
}

void max_pool_bytes(const PoolShape& s, bool is_signed, const uint8_t* x, PixelStrides xs, int64_t x_channel,
                    uint8_t* y, PixelStrides ys, int64_t y_channel, int threads) noexcept {
  const int64_t row_step = s.window.dilation_h * xs.row, column_step = s.window.dilation_w * xs.pixel;
  const uint8_t flip = is_signed ? 0x80 : 0;
  const bool adjacent = x_channel == 1 && y_channel == 1;
  const int64_t pieces = adjacent ? 1 : s.channels, channels = adjacent ? s.channels : 1;
  parallel_ranges(pool_threads(s, threads), s.batch * s.out_height, [&](int64_t begin, int64_t end) {
    for_each_window(
        PoolKind::kMax, s, xs, ys, begin, end, [&](int64_t from, int64_t rows, int64_t columns, float, int64_t to) {
          for (int64_t c = 0; c < pieces; ++c) HWY_DYNAMIC_DISPATCH(max_bytes)
          (x + from + c * x_channel, rows, row_step, columns, column_step, channels, flip, y + to + c * y_channel);
        });
  });
}

void max_pool_halves(const PoolShape& s, DType type, const uint16_t* x, PixelStrides xs, int64_t x_channel, uint16_t* y,
                     PixelStrides ys, int64_t y_channel, int threads) noexcept {
  const int16_t infinity = type == DType::kBF16 ? 0x7F80 : 0x7C00;
  const int64_t row_step = s.window.dilation_h * xs.row, column_step = s.window.dilation_w * xs.pixel;
  const bool adjacent = x_channel == 1 && y_channel == 1;
  const int64_t pieces = adjacent ? 1 : s.channels, channels = adjacent ? s.channels : 1;
  const auto* from = reinterpret_cast<const int16_t*>(x);
  auto* to = reinterpret_cast<int16_t*>(y);
  parallel_ranges(pool_threads(s, threads), s.batch * s.out_height, [&](int64_t begin, int64_t end) {
    for_each_window(PoolKind::kMax, s, xs, ys, begin, end,
                    [&](int64_t at, int64_t rows, int64_t columns, float, int64_t out) {
                      for (int64_t c = 0; c < pieces; ++c) HWY_DYNAMIC_DISPATCH(max_halves)
                      (infinity, from + at + c * x_channel, rows, row_step, columns, column_step, channels,
                       to + out + c * y_channel);
                    });
  });
}

void mean_pool_bytes(PoolKind kind, const PoolShape& s, const ByteMeans& means, const uint8_t* x, PixelStrides xs,
                     uint8_t* y, PixelStrides ys, int threads) noexcept {
  constexpr int64_t kChannels = 64;  // of one piece of work
  const int64_t row_step = s.window.dilation_h * xs.row, column_step = s.window.dilation_w * xs.pixel;
  const int64_t pieces = (s.channels + kChannels - 1) / kChannels;
  parallel_ranges(pool_threads(s, threads), s.batch * s.out_height * pieces, [&](int64_t begin, int64_t end) {
    float numbers[kChannels];
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / pieces, c = i % pieces * kChannels, channels = std::min(kChannels, s.channels - c);
      for_each_window(
          kind, s, xs, ys, row, row + 1, [&](int64_t from, int64_t rows, int64_t columns, float count, int64_t to) {
            HWY_DYNAMIC_DISPATCH(mean_bytes)
            (x + from + c, rows, row_step, columns, column_step, channels, means, static_cast<double>(count), numbers);
            quantize_floats(numbers, y + to + c, channels, means.to, 1);
          });
    }
  });
}

void global_average_nhwc(int64_t batch, int64_t height, int64_t width, int64_t channels, const float* x,
                         PixelStrides xs, float* y, int64_t y_image, int threads) noexcept {
  constexpr int64_t kChannels = 64;  // of one piece of work
  const int64_t pieces = (channels + kChannels - 1) / kChannels;
  const double elements = static_cast<double>(batch * height * width * channels);
  const bool joined = xs.row == width * xs.pixel;
  parallel_ranges(useful_threads(threads, 0.06 * elements), batch * pieces, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t image = i / pieces, c = i % pieces * kChannels;
      HWY_DYNAMIC_DISPATCH(sum_pixels)
      (x + image * xs.image + c, joined ? 1 : height, xs.row, joined ? height * width : width, xs.pixel,
       std::min(kChannels, channels - c), static_cast<float>(height * width), y + image * y_image + c);
    }
  });
}

}  // namespace kiln::cpu
#endif
