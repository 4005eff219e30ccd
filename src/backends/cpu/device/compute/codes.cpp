// Integers of 2, 4 and 8 bits, packed one after another: a word is shifted by as many distances as a vector has lanes.
#include "backends/cpu/device/compute/codes.h"

#include <cstring>

#include "backends/cpu/device/compute/hwy_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/codes.cpp"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using CodeTag = hn::CappedTag<uint32_t, 8>;
inline constexpr int64_t kCodeLanes = static_cast<int64_t>(hn::MaxLanes(CodeTag()));

// The codes of the next vector; `from` is where the first one begins a byte.
template <int kBits> HWY_INLINE hn::Vec<CodeTag> next_codes(const uint8_t* from) {
  const CodeTag d;
  if constexpr (kBits == 8) return hn::PromoteTo(d, hn::LoadU(hn::Rebind<uint8_t, CodeTag>(), from));
  uint32_t word = 0;
  std::memcpy(&word, from, static_cast<size_t>(kCodeLanes * kBits / 8));
  const auto distances = hn::Mul(hn::Iota(d, 0), hn::Set(d, kBits));
  return hn::And(hn::Shr(hn::Set(d, word), distances), hn::Set(d, (1u << kBits) - 1));
}

template <int kBits>
void dequantize_bits(const Codes& codes, int64_t first, int64_t count, int zero, float scale, float* to) {
  const CodeTag d;
  const hn::RebindToSigned<CodeTag> di;
  const hn::RebindToFloat<CodeTag> df;
  const auto one = [&](int64_t i) { to[i] = static_cast<float>(codes.at(first + i) - zero) * scale; };
  int64_t i = 0;
  for (; i < count && (first + i) * kBits % 8 != 0; ++i) one(i);
  const auto flips = hn::Set(d, static_cast<uint32_t>(codes.flip));
  for (; i + kCodeLanes <= count; i += kCodeLanes) {
    const auto ordered = hn::Xor(next_codes<kBits>(codes.bytes + (first + i) * kBits / 8), flips);
    const auto centred = hn::Sub(hn::BitCast(di, ordered), hn::Set(di, zero));
    hn::StoreU(hn::Mul(hn::ConvertTo(df, centred), hn::Set(df, scale)), df, to + i);
  }
  for (; i < count; ++i) one(i);
}

void dequantize(const Codes& codes, int64_t first, int64_t count, int zero, float scale, float* to) {
  if (codes.bits == 8) dequantize_bits<8>(codes, first, count, zero, scale, to);
  else if (codes.bits == 4) dequantize_bits<4>(codes, first, count, zero, scale, to);
  else dequantize_bits<2>(codes, first, count, zero, scale, to);
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {

HWY_EXPORT(dequantize);

void dequantize_codes(const Codes& codes, int64_t first, int64_t count, int zero, float scale, float* to) noexcept {
  HWY_DYNAMIC_DISPATCH(dequantize)(codes, first, count, zero, scale, to);
}

}  // namespace kiln::cpu
#endif
