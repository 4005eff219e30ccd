// Bytes made of bytes by a table, and of floats by a scale and a zero point; ranges of floats.
#include "backends/cpu/device/compute/byte_maps.h"

#include "backends/cpu/device/compute/hwy_byte_targets.h"
#include "backends/cpu/device/compute/parallel.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/byte_maps.cpp"
#include "hwy/foreach_target.h"

#include "backends/cpu/device/compute/sum_steps-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

void map_range(const uint8_t* from, uint8_t* to, int64_t count, const uint8_t* table) {
  constexpr int kCount = 4, kBytes = kCount * static_cast<int>(hn::MaxLanes(ByteTag()));
  HWY_ALIGN uint8_t some[kBytes];
  for (int64_t i = 0; i < count; i += kBytes) {
    const auto n = static_cast<size_t>(std::min<int64_t>(kBytes, count - i));
    std::memcpy(some, from + i, n);
    map_whole<kCount>(table, some);
    std::memcpy(to + i, some, n);
  }
}

// Four vectors at most from `from` on.
HWY_INLINE void quantize_vectors(const float* from, uint8_t* to, int64_t count, const Quantizer& q) {
  const RealTag d;
  const Reals scale = hn::Set(d, q.scale);
  const auto least = static_cast<float>((q.is_signed ? -128 : 0) - q.zero);
  const Reals low = hn::Set(d, least), high = hn::Set(d, least + 255);
  Sums v[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const Reals x = j * kSumLanes < count ? load_some(d, from + j * kSumLanes, count - j * kSumLanes) : hn::Zero(d);
    const Reals units = hn::Div(x, scale);
    const Reals known = hn::IfThenElse(hn::Gt(units, low), units, low);  // NaN is not greater
    v[j] = hn::NearestInt(hn::Min(known, high));
  }
  if (q.is_signed) store_bytes(v, q.zero, reinterpret_cast<int8_t*>(to), count);
  else store_bytes(v, q.zero, to, count);
}

void quantize_range(const float* from, uint8_t* to, int64_t count, const Quantizer& q) {
  for (int64_t i = 0; i < count; i += 4 * kSumLanes) quantize_vectors(from + i, to + i, count - i, q);
}

void find_range(const float* from, int64_t count, FloatRange& range) {
  const RealTag d;
  constexpr int kVectors = 4;
  Reals low[kVectors], high[kVectors];
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) low[j] = high[j] = hn::Zero(d);
  const auto add = [&](int j, Reals x) HWY_ATTR {
    low[j] = hn::IfThenElse(hn::Lt(x, low[j]), x, low[j]);
    high[j] = hn::IfThenElse(hn::Gt(x, high[j]), x, high[j]);
  };
  int64_t i = 0;
  for (; i + kVectors * kSumLanes <= count; i += kVectors * kSumLanes)
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) add(j, hn::LoadU(d, from + i + j * kSumLanes));
  for (; i < count; i += kSumLanes) add(0, load_some(d, from + i, count - i));
  for (int j = 1; j < kVectors; ++j) add(0, low[j]), add(0, high[j]);
  range = {hn::GetLane(hn::MinOfLanes(d, low[0])), hn::GetLane(hn::MaxOfLanes(d, high[0]))};
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(map_range);
HWY_EXPORT(quantize_range);
HWY_EXPORT(find_range);

namespace {

constexpr double kMappedPerNanosecond = 4, kQuantizedPerNanosecond = 2;
constexpr int64_t kLine = 64;  // threads write lines of their own

template <class Body> void in_lines(int64_t count, int threads, double per_nanosecond, const Body& body) {
  const int64_t lines = (count + kLine - 1) / kLine;
  parallel_ranges(
      useful_threads(threads, static_cast<double>(count) / per_nanosecond), lines,
      [&](int64_t begin, int64_t end) { body(begin * kLine, std::min(end * kLine, count) - begin * kLine); });
}

}  // namespace

void map_bytes(const uint8_t* from, uint8_t* to, int64_t count, const uint8_t* table, int threads) noexcept {
  in_lines(count, threads, kMappedPerNanosecond, [&](int64_t first, int64_t n) {
    HWY_DYNAMIC_DISPATCH(map_range)(from + first, to + first, n, table);
  });
}

void quantize_floats(const float* from, uint8_t* to, int64_t count, const Quantizer& q, int threads) noexcept {
  in_lines(count, threads, kQuantizedPerNanosecond, [&](int64_t first, int64_t n) {
    HWY_DYNAMIC_DISPATCH(quantize_range)(from + first, to + first, n, q);
  });
}

FloatRange range_of(const float* from, int64_t count) noexcept {
  FloatRange range;
  HWY_DYNAMIC_DISPATCH(find_range)(from, count, range);
  return range;
}

}  // namespace kiln::cpu
#endif
