// Depthwise convolution of bytes: a word for each channel, four pixels at once.
#include "backends/cpu/device/compute/depthwise_int8.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/device/compute/hwy_byte_targets.h"
#include "backends/cpu/device/compute/parallel.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/depthwise_int8.cpp"
#include "hwy/foreach_target.h"

#include "backends/cpu/device/compute/sum_steps-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

inline constexpr int kPixels = 4;
inline constexpr int kVectors = 2;

// sums + x * w, where x fits int16 and the upper half of w is zero.
HWY_INLINE Sums add_product(Sums sums, Sums x, Sums w) {
#if HWY_TARGET == HWY_AVX3_DL
  asm("vpdpwssd %2, %1, %0" : "+v"(sums.raw) : "v"(x.raw), "v"(w.raw));  // Highway compiles this target without VNNI
  return sums;
#else
  const hn::Repartition<int16_t, SumTag> d;
  Sums unused = hn::Zero(SumTag());
  return hn::ReorderWidenMulAccumulate(SumTag(), hn::BitCast(d, x), hn::BitCast(d, w), sums, unused);
#endif
}

template <class T> HWY_INLINE Sums load_words(const uint8_t* from, int64_t n) {
  const hn::Rebind<T, SumTag> d;
  return hn::PromoteTo(SumTag(), load_some(d, reinterpret_cast<const T*>(from), n));
}

// Pixels [at.row, at.row + at.rows) and channels [at.column, at.column + at.columns); addresses by tap, then pixel.
template <class T>
HWY_INLINE void run_pixels(const uint8_t* const* addresses, int64_t taps, const int32_t* packed, int64_t tap_words,
                           const TilePlace& at, const SumEpilogue& e, void* out, int64_t out_stride) {
  const SumTag d;
  Sums sums[kPixels][kVectors];
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) {
    const int64_t column = at.column + j * kSumLanes;
    const Sums start = e.start && column < at.column + at.columns ? hn::LoadU(d, e.start + column) : hn::Zero(d);
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i) sums[i][j] = start;
  }
  for (int64_t t = 0; t < taps; ++t, addresses += kPixels, packed += tap_words) {
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      const int64_t left = at.columns - j * kSumLanes;
      if (left <= 0) continue;
      const Sums w = hn::LoadU(d, packed + at.column + j * kSumLanes);
#pragma GCC unroll 8
      for (int i = 0; i < kPixels; ++i)
        sums[i][j] = add_product(sums[i][j], load_words<T>(addresses[i] + at.column + j * kSumLanes, left), w);
    }
  }
  HWY_ALIGN int32_t stored[kPixels * kVectors * kSumLanes];
  store_sums(sums, stored);
  finish_tile<kVectors>(e, at, stored, out, out_stride);
}

// Output pixels [begin, end).
template <class T>
void run_range(const ConvShape& s, const uint8_t* x, const int32_t* packed, void* out, const SumEpilogue& e,
               int64_t begin, int64_t end, const uint8_t** addresses, const uint8_t* padding) {
  const int64_t out_w = s.out_w(), out_h = s.out_h(), taps = s.kernel_h * s.kernel_w;
  const int64_t words = packed_depthwise_words(1, s.in_c);
  for (int64_t pixel = begin; pixel < end; pixel += kPixels) {
    const int64_t pixels = std::min<int64_t>(kPixels, end - pixel);
    for (int64_t i = 0; i < kPixels; ++i) {
      const int64_t p = pixel + std::min(i, pixels - 1);
      const uint8_t* image = x + p / out_w / out_h * s.in_h * s.in_w * s.in_stride;
      const int64_t iy = p / out_w % out_h * s.stride_h - s.pad_top, ix = p % out_w * s.stride_w - s.pad_left;
      const uint8_t** to = addresses + i;
      for (int64_t ky = 0; ky < s.kernel_h; ++ky)
        for (int64_t kx = 0; kx < s.kernel_w; ++kx, to += kPixels) {
          const int64_t y = iy + ky * s.dilation_h, column = ix + kx * s.dilation_w;
          const bool inside = y >= 0 && y < s.in_h && column >= 0 && column < s.in_w;
          *to = inside ? image + (y * s.in_w + column) * s.in_stride : padding;
        }
    }
    for (int64_t c = 0; c < s.in_c; c += kVectors * kSumLanes)
      run_pixels<T>(addresses, taps, packed, words,
                    {pixel, pixels, c, std::min<int64_t>(kVectors * kSumLanes, s.in_c - c)}, e, out, s.out_stride);
  }
}

void depthwise_range(const ConvShape& s, const uint8_t* x, bool is_signed, const int32_t* packed, void* out,
                     const SumEpilogue& e, int64_t begin, int64_t end, const uint8_t** addresses,
                     const uint8_t* padding) {
  if (is_signed) run_range<int8_t>(s, x, packed, out, e, begin, end, addresses, padding);
  else run_range<uint8_t>(s, x, packed, out, e, begin, end, addresses, padding);
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(depthwise_range);

namespace {

constexpr int64_t kMostPixels = 4;
constexpr double kProductsPerNanosecond = 12;

int64_t address_bytes(const ConvShape& s) {
  return (s.kernel_h * s.kernel_w * kMostPixels * static_cast<int64_t>(sizeof(uint8_t*)) + 63) / 64 * 64;
}

}  // namespace

void pack_depthwise_int8(int64_t taps, int64_t channels, const int16_t* weights, int32_t* packed) {
  for (int64_t t = 0; t < taps; ++t)
    for (int64_t c = 0; c < int8_columns(channels); ++c)
      *packed++ = c < channels ? static_cast<uint16_t>(weights[c * taps + t]) : 0;
}

int64_t depthwise_int8_scratch(const ConvShape& s, int threads) {
  return address_bytes(s) * threads + (s.in_c + 63) / 64 * 64;
}

void depthwise_int8(const ConvShape& s, const uint8_t* x, bool is_signed, int32_t zero, const int32_t* packed,
                    void* out, const SumEpilogue& e, int threads, uint8_t* scratch) noexcept {
  const int64_t pixels = s.batch * s.out_h() * s.out_w();
  if (pixels == 0 || s.in_c == 0) return;
  const double work = static_cast<double>(pixels) * static_cast<double>(s.in_c * s.kernel_h * s.kernel_w);
  threads = useful_threads(threads, work / kProductsPerNanosecond);
  uint8_t* padding = scratch + address_bytes(s) * threads;
  std::memset(padding, zero, static_cast<size_t>(s.in_c));
  parallel_ranges(threads, pixels, [&](int64_t begin, int64_t end, int part) {
    auto** addresses = reinterpret_cast<const uint8_t**>(scratch + part * address_bytes(s));
    HWY_DYNAMIC_DISPATCH(depthwise_range)(s, x, is_signed, packed, out, e, begin, end, addresses, padding);
  });
}

}  // namespace kiln::cpu
#endif
