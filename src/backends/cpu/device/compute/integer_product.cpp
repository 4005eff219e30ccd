// Products of small integers: pairs of int16 are multiplied and added by one instruction.
#include "backends/cpu/device/compute/integer_product.h"

#include "backends/cpu/device/compute/hwy_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/integer_product.cpp"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Sum = hn::CappedTag<int32_t, kIntegerPanel>;
using Factor = hn::Repartition<int16_t, Sum>;

inline constexpr int kVectors = static_cast<int>(kIntegerPanel) / static_cast<int>(hn::MaxLanes(Sum()));
inline constexpr int kRowsAtOnce = kVectors == 1 ? 8 : kVectors == 2 ? 6 : 2;  // whose sums stay in registers

// `count` rows at once against all columns.
template <int count>
HWY_INLINE void multiply_rows(const int16_t* a, int64_t terms, const int16_t* panel, int32_t* sums) {
  const Sum d;
  const Factor df;
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(Sum()));
  hn::Vec<Sum> even[count][kVectors], odd = hn::Zero(d);
#pragma GCC unroll 8
  for (int i = 0; i < count; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) even[i][j] = hn::Zero(d);
  }
  for (int64_t t = 0; t < terms; t += 2, panel += 2 * kIntegerPanel) {
    hn::Vec<Factor> factors[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) factors[j] = hn::LoadU(df, panel + 2 * j * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < count; ++i) {
      int32_t pair;
      __builtin_memcpy(&pair, a + i * terms + t, sizeof pair);
      const auto both = hn::BitCast(df, hn::Set(d, pair));
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j)
        even[i][j] = hn::ReorderWidenMulAccumulate(d, both, factors[j], even[i][j], odd);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < count; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j)
      hn::StoreU(hn::RearrangeToOddPlusEven(even[i][j], odd), d, sums + i * kIntegerPanel + j * kLanes);
  }
}

void multiply(const int16_t* a, int64_t rows, int64_t terms, const int16_t* panel, int32_t* sums) {
  int64_t i = 0;
  for (; i + kRowsAtOnce <= rows; i += kRowsAtOnce)
    multiply_rows<kRowsAtOnce>(a + i * terms, terms, panel, sums + i * kIntegerPanel);
  for (; i < rows; ++i) multiply_rows<1>(a + i * terms, terms, panel, sums + i * kIntegerPanel);
}

template <class T> HWY_INLINE void center_bytes(const T* from, int16_t zero, int16_t* to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<int16_t>(from[i] - zero);
}

void center_any(const uint8_t* from, bool is_signed, int16_t zero, int16_t* to, int64_t count) {
  if (is_signed) center_bytes(reinterpret_cast<const int8_t*>(from), zero, to, count);
  else center_bytes(from, zero, to, count);
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(multiply);
HWY_EXPORT(center_any);

void multiply_panel(const int16_t* a, int64_t rows, int64_t terms, const int16_t* panel, int32_t* sums) noexcept {
  HWY_DYNAMIC_DISPATCH(multiply)(a, rows, terms, panel, sums);
}
void center(const uint8_t* from, bool is_signed, int16_t zero, int16_t* to, int64_t count) noexcept {
  HWY_DYNAMIC_DISPATCH(center_any)(from, is_signed, zero, to, count);
}

}  // namespace kiln::cpu
#endif
