// Sums of products of bytes, and the steps of their epilogue on a tile of vectors. Included once per instruction set.
#include <algorithm>
#include <type_traits>

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

// sums + the products of four unsigned bytes of `a` and four signed ones of `b` in each lane.
HWY_INLINE Sums add_products(Sums sums, Sums a, Sums b) {
#if HWY_TARGET == HWY_AVX3_DL
  asm("vpdpbusd %2, %1, %0" : "+v"(sums.raw) : "v"(a.raw), "v"(b.raw));  // Highway compiles this target without VNNI
  return sums;
#else
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

// To the nearest whole number, half to even; for numbers far below 2^31.
HWY_INLINE Sums whole_of(Reals v) {
#if HWY_TARGET <= HWY_AVX3
  return Sums{_mm512_cvtps_epi32(v.raw)};
#else
  return hn::NearestInt(v);
#endif
}

#if HWY_TARGET == HWY_AVX3_DL
// Each byte becomes what the table of 256 says.
HWY_INLINE __m512i map_vector(const uint8_t* table, __m512i x) {
  const __m512i low = _mm512_permutex2var_epi8(_mm512_loadu_si512(table), x, _mm512_loadu_si512(table + 64));
  const __m512i high = _mm512_permutex2var_epi8(_mm512_loadu_si512(table + 128), x, _mm512_loadu_si512(table + 192));
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high);
}
#endif

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
          const auto* from = static_cast<const float*>(s.operand) + at.row_of(i) * s.stride + at.column + j * kSumLanes;
          v[i][j] = hn::Add(v[i][j], load_some(d, from, at.columns - j * kSumLanes));
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

// A row of numbers divided and rounded to whole ones, far below 2^31. Where both products round alike the quotient does so, too.
template <int kVectors>
HWY_INLINE void divide_to_whole(const BoundStep& s, const Reals (&v)[kVectors], Sums (&to)[kVectors]) {
  if (s.high != 0) {
    const Quotients q(s);
    auto differ = hn::Zero(SumTag());
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      to[j] = whole_of(hn::Mul(v[j], q.low));
      differ = hn::Or(differ, hn::Xor(to[j], whole_of(hn::Mul(v[j], q.high))));
    }
    if (hn::AllTrue(SumTag(), hn::Eq(differ, hn::Zero(SumTag())))) return;
  }
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) to[j] = whole_of(hn::Div(v[j], hn::Set(RealTag(), s.low)));
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

// Columns [0, n) of a row of bytes become what the table says.
HWY_INLINE void map_in_place(const uint8_t* table, uint8_t* row, int64_t n) {
  for (int64_t j = 0; j < n; ++j) row[j] = table[row[j]];
}

// Columns [0, n) of a row of numbers, saturated, and then by a table where there is one.
template <class T, int kVectors>
HWY_INLINE void store_bytes(const Sums (&v)[kVectors], T* to, int64_t n, const uint8_t* table = nullptr) {
#if HWY_TARGET <= HWY_AVX3
  const auto vector = [&](int j) { return j < kVectors ? v[j < kVectors ? j : 0].raw : _mm512_setzero_si512(); };
  const __m512i low = _mm512_packs_epi32(vector(0), vector(1)), high = _mm512_packs_epi32(vector(2), vector(3));
  __m512i bytes = std::is_signed_v<T> ? _mm512_packs_epi16(low, high) : _mm512_packus_epi16(low, high);
  const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
  const __mmask64 stored = n >= 64 ? ~__mmask64{0} : (__mmask64{1} << n) - 1;
  bytes = _mm512_permutexvar_epi32(order, bytes);
#if HWY_TARGET == HWY_AVX3_DL
  if (table) bytes = map_vector(table, bytes);
  table = nullptr;
#endif
  _mm512_mask_storeu_epi8(to, stored, bytes);
#else
  const hn::Rebind<T, SumTag> d;
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j)
    if (j * kSumLanes < n) store_some(hn::DemoteTo(d, v[j]), d, to + j * kSumLanes, n - j * kSumLanes);
#endif
  if (table) map_in_place(table, reinterpret_cast<uint8_t*>(to), std::min<int64_t>(n, kVectors * kSumLanes));
}

template <class Tag, class T, int kVectors>
HWY_INLINE void store_columns(const hn::Vec<Tag> (&v)[kVectors], Tag d, T* to, int64_t n) {
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j)
    if (j * kSumLanes < n) store_some(v[j], d, to + j * kSumLanes, n - j * kSumLanes);
}

// Stores a tile of numbers, of which `at` is a part, after the steps; `out` is the result's first element.
template <int kRows, int kVectors>
HWY_INLINE void finish_reals(const SumEpilogue& e, const TilePlace& at, Reals (&v)[kRows][kVectors], void* out,
                             int64_t out_stride) {
  const int64_t first = at.row * out_stride + at.column;
  const bool divides = e.result != SumEpilogue::kFloat && !e.steps.empty() && e.steps.back().kind == SumStep::kDivide;
  for (auto rest = e.steps.first(e.steps.size() - divides); !rest.empty();) rest = rest.subspan(run_steps(rest, at, v));
  if (e.result == SumEpilogue::kFloat) {
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i)
      if (i < at.rows) store_columns(v[i], RealTag(), static_cast<float*>(out) + first + i * out_stride, at.columns);
    return;
  }
  const Sums zero = hn::Set(SumTag(), e.zero);
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
    if (i >= at.rows) break;
    Sums bytes[kVectors];
    if (divides) divide_to_whole(e.steps.back(), v[i], bytes);
#pragma GCC unroll 8
    for (int j = 0; !divides && j < kVectors; ++j) bytes[j] = hn::NearestInt(v[i][j]);
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) bytes[j] = hn::Add(bytes[j], zero);
    const int64_t to = first + i * out_stride;
    if (e.result == SumEpilogue::kInt8) store_bytes(bytes, static_cast<int8_t*>(out) + to, at.columns, e.table);
    else store_bytes(bytes, static_cast<uint8_t*>(out) + to, at.columns, e.table);
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
