// Sums of products of bytes, and the steps of their epilogue on a tile of vectors. Included once per instruction set.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "backends/cpu/device/compute/processor.h"
#include "backends/cpu/device/compute/product_int8.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using SumTag = hn::CappedTag<int32_t, kInt8Panel>;
using RealTag = hn::RebindToFloat<SumTag>;
using Sums = hn::Vec<SumTag>;
using Reals = hn::Vec<RealTag>;
inline constexpr int kSumLanes = static_cast<int>(hn::MaxLanes(SumTag()));

// run(kFour): whether one instruction adds four products of bytes. Of AVX2's kernels the processor tells.
template <class Run> HWY_INLINE auto by_instruction(const Run& run) {
#if HWY_TARGET == HWY_AVX3_DL
  return run(std::true_type());
#else
#if HWY_TARGET == HWY_AVX2
  if (adds_four_products()) return run(std::true_type());
#endif
  return run(std::false_type());
#endif
}

// sums + the products of four unsigned bytes of `a` and four signed ones of `b` in each lane.
template <bool kFour> HWY_INLINE Sums add_products(Sums sums, Sums a, Sums b) {
#if HWY_TARGET == HWY_AVX3_DL
  asm("vpdpbusd %2, %1, %0" : "+v"(sums.raw) : "v"(a.raw), "v"(b.raw));  // Highway compiles this target without VNNI
  return sums;
#else
#if HWY_TARGET == HWY_AVX2
  if constexpr (kFour) {
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sums.raw) : "x"(a.raw), "xm"(b.raw));
    return sums;
  }
#endif
  using PairsTag = hn::Repartition<int16_t, SumTag>;
  const PairsTag d;
  const auto low = hn::Set(d, int16_t{0xFF});
  const auto a16 = hn::BitCast(d, a), b16 = hn::BitCast(d, b);
  Sums unused = hn::Zero(SumTag());
  sums = hn::ReorderWidenMulAccumulate(SumTag(), hn::And(a16, low), hn::ShiftRight<8>(hn::ShiftLeft<8>(b16)), sums,
                                       unused);
  const auto high = hn::BitCast(d, hn::ShiftRight<8>(hn::BitCast(hn::RebindToUnsigned<PairsTag>(), a)));
  return hn::ReorderWidenMulAccumulate(SumTag(), high, hn::ShiftRight<8>(b16), sums, unused);
#endif
}

// Elements [0, n) of `from`; what lies behind them is not read.
template <class D, class T> HWY_INLINE hn::Vec<D> load_some(D d, const T* from, int64_t n) {
  if (n >= kSumLanes) return hn::LoadU(d, from);
#if HWY_TARGET <= HWY_AVX3
  return hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(n)), d, from);
#else
  HWY_ALIGN T copy[kSumLanes] = {};
  for (int64_t i = 0; i < n; ++i) copy[i] = from[i];
  return hn::Load(d, copy);
#endif
}
template <class D, class T> HWY_INLINE void store_some(hn::Vec<D> v, D d, T* to, int64_t n) {
  if (n >= kSumLanes) return hn::StoreU(v, d, to);
#if HWY_TARGET <= HWY_AVX3
  hn::BlendedStore(v, hn::FirstN(d, static_cast<size_t>(n)), d, to);
#else
  HWY_ALIGN T copy[kSumLanes];
  hn::Store(v, d, copy);
  for (int64_t i = 0; i < n; ++i) to[i] = copy[i];
#endif
}

HWY_INLINE Reals load_bytes(const uint8_t* from, bool is_signed, int64_t n) {
  const SumTag d;
  if (is_signed) {
    const hn::Rebind<int8_t, SumTag> bytes;
    return hn::ConvertTo(RealTag(), hn::PromoteTo(d, load_some(bytes, reinterpret_cast<const int8_t*>(from), n)));
  }
  const hn::Rebind<uint8_t, SumTag> bytes;
  return hn::ConvertTo(RealTag(), hn::PromoteTo(d, load_some(bytes, from, n)));
}

// Numbers of bfloat16; their bits are the upper ones of float32's.
HWY_INLINE Reals load_bfloats(const uint16_t* from, int64_t n) {
  const hn::Rebind<uint16_t, SumTag> halves;
  return hn::BitCast(RealTag(), hn::ShiftLeft<16>(hn::PromoteTo(SumTag(), load_some(halves, from, n))));
}

// The bits of the nearest numbers of bfloat16, ties to even, as whole numbers. What is no number stays so.
HWY_INLINE Sums bfloats_of(Reals x) {
  const hn::RebindToUnsigned<SumTag> d;
  const auto bits = hn::BitCast(d, x);
  const auto even = hn::And(hn::ShiftRight<16>(bits), hn::Set(d, 1));
  const auto nearest = hn::ShiftRight<16>(hn::Add(hn::Add(bits, even), hn::Set(d, 0x7FFF)));
  return hn::BitCast(SumTag(), hn::IfThenElse(hn::RebindMask(d, hn::Ne(x, x)), hn::Set(d, 0x7FC0), nearest));
}

// The first n of them. By the instruction for it where kNative.
template <bool kNative> HWY_INLINE void store_bfloats(Reals x, uint16_t* to, int64_t n) {
#if HWY_TARGET == HWY_AVX3_DL
  if constexpr (kNative) {
    __m256i rounded;
    asm("vcvtneps2bf16 %1, %0" : "=v"(rounded) : "v"(x.raw));
    if (n >= kSumLanes) _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), rounded);
    else _mm256_mask_storeu_epi16(to, static_cast<__mmask16>((1u << n) - 1), rounded);
    return;
  }
#endif
  const hn::Rebind<uint16_t, SumTag> halves;
  store_some(hn::DemoteTo(halves, bfloats_of(x)), halves, to, n);
}

// To the nearest whole number, half to even; those beyond 2^20 and what is no number become others that bytes saturate to the same.
HWY_INLINE Sums limited_whole_of(Reals v) {
#if HWY_TARGET <= HWY_AVX3
  return Sums{_mm512_cvtps_epi32(hn::Min(hn::Set(RealTag(), 0x1p20f), v).raw)};
#elif HWY_TARGET == HWY_AVX2
  return Sums{_mm256_cvtps_epi32(hn::Min(hn::Set(RealTag(), 0x1p20f), v).raw)};
#else
  return hn::NearestInt(v);
#endif
}

// To the nearest whole number, half to even; for numbers far below 2^31.
HWY_INLINE Sums whole_of(Reals v) {
#if HWY_TARGET <= HWY_AVX3
  return Sums{_mm512_cvtps_epi32(v.raw)};
#elif HWY_TARGET == HWY_AVX2
  return Sums{_mm256_cvtps_epi32(v.raw)};
#else
  return hn::NearestInt(v);
#endif
}

using ByteTag = hn::Repartition<uint8_t, SumTag>;
using ByteVector = hn::Vec<ByteTag>;

// `yes` where the highest bit of a byte is set, else `no`.
HWY_INLINE ByteVector choose(ByteVector bits, ByteVector yes, ByteVector no) {
  const hn::RebindToSigned<ByteTag> d;
  return hn::BitCast(ByteTag(), hn::IfNegativeThenElse(hn::BitCast(d, bits), hn::BitCast(d, yes), hn::BitCast(d, no)));
}

// Bits of bytes as the highest ones of theirs; what is below them is no use.
template <int kBits> HWY_INLINE ByteVector shifted_up(ByteVector x) {
  return hn::BitCast(ByteTag(), hn::ShiftLeft<kBits>(hn::BitCast(hn::Repartition<uint16_t, SumTag>(), x)));
}

// Each byte becomes what the table of 256 says.
template <int kCount> HWY_INLINE void map_vectors(const uint8_t* table, ByteVector (&x)[kCount]) {
#if HWY_TARGET == HWY_AVX3_DL
  const __m512i first = _mm512_loadu_si512(table), second = _mm512_loadu_si512(table + 64);
  const __m512i third = _mm512_loadu_si512(table + 128), fourth = _mm512_loadu_si512(table + 192);
#pragma GCC unroll 8
  for (int j = 0; j < kCount; ++j) {
    const __m512i low = _mm512_permutex2var_epi8(first, x[j].raw, second);
    const __m512i high = _mm512_permutex2var_epi8(third, x[j].raw, fourth);
    x[j].raw = _mm512_mask_blend_epi8(_mm512_movepi8_mask(x[j].raw), low, high);
  }
#else
  // The low half of a byte chooses within each sixteen bytes of the table, its upper bits among these, the lowest of them first.
  const ByteTag d;
  const ByteVector low_half = hn::Set(d, uint8_t{0x0F});
#pragma GCC unroll 8
  for (int j = 0; j < kCount; ++j) {
    const ByteVector within = hn::And(x[j], low_half);
    const auto part = [&](int i) HWY_ATTR { return hn::TableLookupBytes(hn::LoadDup128(d, table + 16 * i), within); };
    const ByteVector fourth = shifted_up<3>(x[j]), fifth = shifted_up<2>(x[j]), sixth = shifted_up<1>(x[j]);
    const auto two = [&](int i) HWY_ATTR { return choose(fourth, part(i + 1), part(i)); };
    const auto four = [&](int i) HWY_ATTR { return choose(fifth, two(i + 2), two(i)); };
    const auto eight = [&](int i) HWY_ATTR { return choose(sixth, four(i + 4), four(i)); };
    x[j] = choose(x[j], eight(8), eight(0));
  }
#endif
}

// The same of kCount vectors in memory.
template <int kCount> HWY_INLINE void map_whole(const uint8_t* table, uint8_t* bytes) {
  const ByteTag d;
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(ByteTag()));
  ByteVector x[kCount];
#pragma GCC unroll 8
  for (int j = 0; j < kCount; ++j) x[j] = hn::LoadU(d, bytes + j * kLanes);
  map_vectors(table, x);
#pragma GCC unroll 8
  for (int j = 0; j < kCount; ++j) hn::StoreU(x[j], d, bytes + j * kLanes);
}

// A piece of the result.
struct TilePlace {
  int64_t row, rows, column, columns;
  // The last row stands for those behind it, the first vector for those that hold no column.
  int64_t row_of(int i) const { return row + std::min<int64_t>(i, rows - 1); }
  int64_t column_of(int j) const { return column + (j * kSumLanes < columns ? j * kSumLanes : 0); }
};

HWY_INLINE Reals per_column(const BoundStep& s, const TilePlace& at, int j) {
  const auto* from = static_cast<const float*>(s.operand);
  return s.stride ? hn::LoadU(RealTag(), from + at.column_of(j)) : hn::Set(RealTag(), *from);
}

template <int kRows, int kVectors>
HWY_INLINE void run_step(const BoundStep& s, const TilePlace& at, Reals (&v)[kRows][kVectors]) {
  const RealTag d;
  switch (s.kind) {
    case SumStep::kMultiply:
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) {
        const Reals b = per_column(s, at, j);
#pragma GCC unroll 8
        for (int i = 0; i < kRows; ++i) v[i][j] = hn::Mul(v[i][j], b);
      }
      break;
    case SumStep::kAdd:
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) {
        const Reals b = per_column(s, at, j);
#pragma GCC unroll 8
        for (int i = 0; i < kRows; ++i) v[i][j] = hn::Add(v[i][j], b);
      }
      break;
    case SumStep::kDivide:
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < kVectors; ++j) v[i][j] = hn::Div(v[i][j], hn::Set(d, s.low));
      break;
    case SumStep::kClamp: {
      const Reals low = hn::Set(d, s.low), high = hn::Set(d, s.high);
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < kVectors; ++j) v[i][j] = hn::Min(hn::Max(v[i][j], low), high);
      break;
    }
    case SumStep::kLimit: {
      const Reals low = hn::Set(d, s.low), high = hn::Set(d, s.high);
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < kVectors; ++j) v[i][j] = hn::Min(high, hn::Max(low, v[i][j]));
      break;
    }
    case SumStep::kAtLeast: {
      const Reals low = hn::Set(d, s.low);
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < kVectors; ++j) v[i][j] = hn::Max(v[i][j], low);
      break;
    }
    case SumStep::kRound:
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < kVectors; ++j) v[i][j] = hn::Round(v[i][j]);
      break;
    case SumStep::kAddFloats:
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < kVectors; ++j) {
          if (j * kSumLanes >= at.columns) continue;
          const int64_t place = at.row_of(i) * s.stride + at.column + j * kSumLanes, n = at.columns - j * kSumLanes;
          const Reals other = s.is_narrow ? load_bfloats(static_cast<const uint16_t*>(s.operand) + place, n)
                                          : load_some(d, static_cast<const float*>(s.operand) + place, n);
          v[i][j] = hn::Add(v[i][j], other);
        }
      break;
    case SumStep::kAddBytes: {
      const Reals zero = hn::Set(d, s.low), scale = hn::Set(d, s.high);
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < kVectors; ++j) {
          if (j * kSumLanes >= at.columns) continue;
          const auto* from =
              static_cast<const uint8_t*>(s.operand) + at.row_of(i) * s.stride + at.column + j * kSumLanes;
          Reals b = load_bytes(from, s.is_signed, at.columns - j * kSumLanes);
          if (s.low != 0) b = hn::Sub(b, zero);
          v[i][j] = hn::Add(v[i][j], hn::Mul(b, scale));
        }
      break;
    }
    case SumStep::kActivate: {
      HWY_ALIGN float numbers[kRows * kVectors * kSumLanes];
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < kVectors; ++j) hn::Store(v[i][j], d, numbers + (i * kVectors + j) * kSumLanes);
      apply_activation(s.activation, s.low, s.high, numbers, numbers, std::ssize(numbers));
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < kVectors; ++j) v[i][j] = hn::Load(d, numbers + (i * kVectors + j) * kSumLanes);
      break;
    }
  }
}

// Products by the reciprocal of a divisor, made a little smaller and a little larger: the quotient as it is rounded lies between them.
struct Quotients {
  explicit Quotients(const BoundStep& s)
      : low(hn::Set(RealTag(), s.high * (1 - kMargin))), high(hn::Set(RealTag(), s.high * (1 + kMargin))) {}
  static constexpr float kMargin = 0x1p-21f;  // twice what four roundings may do
  Reals low, high;
};

// A row of numbers divided and rounded to whole ones by `whole`. Where both products round alike the quotient does so, too.
template <int kVectors, class Whole>
HWY_INLINE void divide_to_whole(const BoundStep& s, const Reals (&v)[kVectors], Sums (&to)[kVectors],
                                const Whole& whole) {
  if (s.high != 0) {
    const Quotients q(s);
    auto differ = hn::Zero(SumTag());
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      to[j] = whole(hn::Mul(v[j], q.low));
      differ = hn::Or(differ, hn::Xor(to[j], whole(hn::Mul(v[j], q.high))));
    }
    if (hn::AllTrue(SumTag(), hn::Eq(differ, hn::Zero(SumTag())))) return;
  }
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) to[j] = whole(hn::Div(v[j], hn::Set(RealTag(), s.low)));
}

// The same to numbers far below 2^31.
template <int kVectors>
HWY_INLINE void divide_to_whole(const BoundStep& s, const Reals (&v)[kVectors], Sums (&to)[kVectors]) {
  divide_to_whole(s, v, to, [](Reals x) HWY_ATTR { return whole_of(x); });
}

// The same of a tile whose quotients stay real numbers, and are limited before they are rounded.
template <int kRows, int kVectors>
HWY_INLINE void divide_limit_round(const BoundStep& s, const BoundStep& limits, Reals (&v)[kRows][kVectors]) {
  const Reals least = hn::Set(RealTag(), limits.low), most = hn::Set(RealTag(), limits.high);
  const auto limited = [&](Reals x) HWY_ATTR { return hn::Round(hn::Min(hn::Max(x, least), most)); };
  const Quotients q(s);
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
    Reals quotients[kVectors];
    auto same = hn::Eq(least, least);
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      quotients[j] = limited(hn::Mul(v[i][j], q.low));
      same = hn::And(same, hn::Eq(quotients[j], limited(hn::Mul(v[i][j], q.high))));
    }
    const bool certain = hn::AllTrue(RealTag(), same);
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j)
      v[i][j] = certain ? quotients[j] : limited(hn::Div(v[i][j], hn::Set(RealTag(), s.low)));
  }
}

// The first step, which may be three in one. Returns how many it was.
template <int kRows, int kVectors>
HWY_INLINE size_t run_steps(std::span<const BoundStep> steps, const TilePlace& at, Reals (&v)[kRows][kVectors]) {
  const bool rounds = steps.size() > 2 && steps[0].kind == SumStep::kDivide && steps[0].high != 0 &&
                      steps[1].kind == SumStep::kClamp && steps[2].kind == SumStep::kRound;
  if (rounds) divide_limit_round(steps[0], steps[1], v);
  else run_step(steps[0], at, v);
  return rounds ? 3 : 1;
}

// Columns [0, n) of a row of numbers, plus the zero point, saturated; then by a table, where there is one and the machine maps a row at once.
inline constexpr bool kMapsRows = HWY_TARGET == HWY_AVX3_DL;
template <class T, int kVectors>
HWY_INLINE void store_bytes(const Sums (&v)[kVectors], int32_t zero, T* to, int64_t n,
                            [[maybe_unused]] const uint8_t* table = nullptr) {
#if HWY_TARGET <= HWY_AVX3
  const auto vector = [&](int j) { return j < kVectors ? v[j < kVectors ? j : 0].raw : _mm512_setzero_si512(); };
  const __m512i zeros = _mm512_set1_epi16(static_cast<int16_t>(zero));
  const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(vector(0), vector(1)), zeros);
  const __m512i high = _mm512_adds_epi16(_mm512_packs_epi32(vector(2), vector(3)), zeros);
  __m512i bytes = std::is_signed_v<T> ? _mm512_packs_epi16(low, high) : _mm512_packus_epi16(low, high);
  const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
  const __mmask64 stored = n >= 64 ? ~__mmask64{0} : (__mmask64{1} << n) - 1;
  bytes = _mm512_permutexvar_epi32(order, bytes);
  if constexpr (kMapsRows)
    if (table) {
      ByteVector row[1] = {ByteVector{bytes}};
      map_vectors(table, row);
      bytes = row[0].raw;
    }
  _mm512_mask_storeu_epi8(to, stored, bytes);
#else
#if HWY_TARGET == HWY_AVX2
  if constexpr (kVectors == 2 || kVectors == 4)
    if (n >= kVectors * kSumLanes) {
      const auto words = [&](int j) HWY_ATTR {
        const __m256i both = _mm256_packs_epi32(v[j].raw, v[j + 1].raw);
        return _mm256_adds_epi16(both, _mm256_set1_epi16(static_cast<int16_t>(zero)));
      };
      const __m256i low = words(0), high = kVectors == 4 ? words(kVectors - 2) : low;
      const __m256i bytes = std::is_signed_v<T> ? _mm256_packs_epi16(low, high) : _mm256_packus_epi16(low, high);
      const __m256i row = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
      if constexpr (kVectors == 4) _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), row);
      else _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(row));
      return;
    }
#endif
  const hn::Rebind<T, SumTag> d;
  // Numbers beyond 16 bits are limited first: of those DemoteTo saturates some alone, and a zero point may carry them past 32 bits.
  const Sums least = hn::Set(SumTag(), -0x7f00), most = hn::Set(SumTag(), 0x7f00);
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) {
    if (j * kSumLanes >= n) continue;
    const Sums whole = hn::Add(hn::Min(hn::Max(v[j], least), most), hn::Set(SumTag(), zero));
    store_some(hn::DemoteTo(d, whole), d, to + j * kSumLanes, n - j * kSumLanes);
  }
#endif
}

template <int kVectors>
HWY_INLINE void store_bytes_as(bool is_signed, const Sums (&v)[kVectors], int32_t zero, uint8_t* to, int64_t n,
                               const uint8_t* table = nullptr) {
  if (is_signed) store_bytes(v, zero, reinterpret_cast<int8_t*>(to), n, table);
  else store_bytes(v, zero, to, n, table);
}

// Columns [0, n) of a row of whole numbers, as the bytes that a line makes of them.
template <int kVectors>
HWY_INLINE void store_on_line(const ByteLine& line, const Sums (&v)[kVectors], uint8_t* to, int64_t n) {
  const RealTag d;
  const auto factor = hn::Set(d, line.factor);
  Sums bytes[kVectors];
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) bytes[j] = limited_whole_of(hn::Mul(hn::ConvertTo(d, v[j]), factor));
  if (!line.saturates) {
    const Sums low = hn::Set(SumTag(), line.low), high = hn::Set(SumTag(), line.high);
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) bytes[j] = hn::Min(hn::Max(bytes[j], low), high);
  }
  store_bytes_as(line.is_signed, bytes, line.zero, to, n);
}

template <class Tag, class T, int kVectors>
HWY_INLINE void store_columns(const hn::Vec<Tag> (&v)[kVectors], Tag d, T* to, int64_t n) {
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j)
    if (j * kSumLanes < n) store_some(v[j], d, to + j * kSumLanes, n - j * kSumLanes);
}

// Stores a tile of numbers, of which `at` is a part, after the steps; `out` is the result's first element. kNative: the machine has the
// instructions of bfloat16.
template <bool kNative = false, int kRows, int kVectors>
HWY_INLINE void finish_reals(const SumEpilogue& e, const TilePlace& at, Reals (&v)[kRows][kVectors], void* out,
                             int64_t out_stride) {
  const int64_t first = at.row * out_stride + at.column;
  const bool divides = !e.is_real() && !e.steps.empty() && e.steps.back().kind == SumStep::kDivide;
  for (auto rest = e.steps.first(e.steps.size() - divides); !rest.empty();) rest = rest.subspan(run_steps(rest, at, v));
  if (e.result == SumEpilogue::kFloat) {
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i)
      if (i < at.rows) store_columns(v[i], RealTag(), static_cast<float*>(out) + first + i * out_stride, at.columns);
    return;
  }
  if (e.result == SumEpilogue::kBfloat16) {
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      if (i >= at.rows) break;
      auto* to = static_cast<uint16_t*>(out) + first + i * out_stride;
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j)
        if (j * kSumLanes < at.columns) store_bfloats<kNative>(v[i][j], to + j * kSumLanes, at.columns - j * kSumLanes);
    }
    return;
  }
  // Rows that are mapped together are made side by side first.
  constexpr int kWidth = kVectors * kSumLanes, kLanes = static_cast<int>(hn::MaxLanes(ByteTag()));
  constexpr int kMapped = (kRows * kWidth + kLanes - 1) / kLanes;
  const ByteLine* const line = kMapsRows ? nullptr : e.line;
  const bool together = !kMapsRows && e.table && !line, is_signed = e.result == SumEpilogue::kInt8;
  HWY_ALIGN uint8_t tile[kMapped * kLanes];
  const int32_t zero = e.zero;
  const uint8_t* const table = e.table;
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
    if (i >= at.rows) break;
    Sums bytes[kVectors];
    if (divides) divide_to_whole(e.steps.back(), v[i], bytes);
#pragma GCC unroll 8
    for (int j = 0; !divides && j < kVectors; ++j) bytes[j] = limited_whole_of(v[i][j]);
    uint8_t* to = together ? tile + i * kWidth : static_cast<uint8_t*>(out) + first + i * out_stride;
    const int64_t n = together ? kWidth : at.columns;
    if (line) store_on_line(*line, bytes, to, n);
    else store_bytes_as(is_signed, bytes, zero, to, n, table);
  }
  if (!together) return;
  map_whole<kMapped>(table, tile);
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
    if (i >= at.rows) break;
    uint8_t* to = static_cast<uint8_t*>(out) + first + i * out_stride;
    if (at.columns >= kWidth) std::memcpy(to, tile + i * kWidth, kWidth);
    else std::memcpy(to, tile + i * kWidth, static_cast<size_t>(at.columns));
  }
}

// The same of sums.
template <int kRows, int kVectors>
HWY_INLINE void finish_tile(const SumEpilogue& e, const TilePlace& at, const Sums (&sums)[kRows][kVectors], void* out,
                            int64_t out_stride) {
  const int64_t first = at.row * out_stride + at.column;
  if (e.result == SumEpilogue::kInt32) {
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i)
      if (i < at.rows)
        store_columns(sums[i], SumTag(), static_cast<int32_t*>(out) + first + i * out_stride, at.columns);
    return;
  }
  Reals v[kRows][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) v[i][j] = hn::ConvertTo(RealTag(), sums[i][j]);
  finish_reals(e, at, v, out, out_stride);
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
