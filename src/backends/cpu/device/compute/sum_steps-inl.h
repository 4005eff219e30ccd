// The steps of a sum's epilogue on a tile of vectors. Included once per instruction set.
#include <algorithm>

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

// Elements [0, n) of `from`; what lies behind them is not read.
template <class D, class T> HWY_INLINE hn::Vec<D> load_some(D d, const T* from, int64_t n) {
  if (n >= kSumLanes) return hn::LoadU(d, from);
  HWY_ALIGN T copy[kSumLanes] = {};
  for (int64_t i = 0; i < n; ++i) copy[i] = from[i];
  return hn::Load(d, copy);
}
template <class D, class T> HWY_INLINE void store_some(hn::Vec<D> v, D d, T* to, int64_t n) {
  if (n >= kSumLanes) return hn::StoreU(v, d, to);
  HWY_ALIGN T copy[kSumLanes];
  hn::Store(v, d, copy);
  for (int64_t i = 0; i < n; ++i) to[i] = copy[i];
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

// A piece of the result.
struct TilePlace {
  int64_t row, rows, column, columns;
};

template <int kRows, int kVectors>
HWY_INLINE void run_step(const SumStep& s, const TilePlace& at, Reals (&v)[kRows][kVectors]) {
  const RealTag d;
  switch (s.kind) {
    case SumStep::kMultiply:
    case SumStep::kAdd:
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) {
        const auto* from = static_cast<const float*>(s.operand);
        const Reals b = s.stride ? hn::LoadU(d, from + at.column + j * kSumLanes) : hn::Set(d, *from);
#pragma GCC unroll 8
        for (int i = 0; i < kRows; ++i) v[i][j] = s.kind == SumStep::kAdd ? hn::Add(v[i][j], b) : hn::Mul(v[i][j], b);
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
          const auto* from = static_cast<const float*>(s.operand) + (at.row + i) * s.stride + at.column + j * kSumLanes;
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
              static_cast<const uint8_t*>(s.operand) + (at.row + i) * s.stride + at.column + j * kSumLanes;
          const Reals b = load_bytes(from, s.is_signed, at.columns - j * kSumLanes);
          v[i][j] = hn::Add(v[i][j], hn::Mul(hn::Sub(b, zero), scale));
        }
      break;
    }
  }
}

template <class T> HWY_INLINE void store_bytes(Sums v, T* to, int64_t n) {
  const hn::Rebind<T, SumTag> d;
  store_some(hn::DemoteTo(d, v), d, to, n);
}

// Runs the steps on `kRows` rows of sums, kVectors vectors each, and stores them.
template <int kRows, int kVectors>
HWY_INLINE void finish_rows(const SumEpilogue& e, const TilePlace& at, const int32_t* sums, void* out,
                            int64_t out_stride) {
  const SumTag d;
  Reals v[kRows][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j)
      v[i][j] = hn::ConvertTo(RealTag(), hn::Load(d, sums + (i * kVectors + j) * kSumLanes));
  for (const SumStep& s : e.steps) run_step(s, at, v);
  const Sums zero = hn::Set(d, e.zero);
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      if (j * kSumLanes >= at.columns) continue;
      const int64_t to = (at.row + i) * out_stride + at.column + j * kSumLanes, n = at.columns - j * kSumLanes;
      if (e.result == SumEpilogue::kFloat) {
        store_some(v[i][j], RealTag(), static_cast<float*>(out) + to, n);
        continue;
      }
      const Sums bytes = hn::Add(hn::NearestInt(v[i][j]), zero);
      if (e.result == SumEpilogue::kInt8) store_bytes(bytes, static_cast<int8_t*>(out) + to, n);
      else store_bytes(bytes, static_cast<uint8_t*>(out) + to, n);
    }
}

// Stores a tile of sums, row by row in `sums`, after the steps; `out` is the result's first element.
template <int kVectors>
HWY_NOINLINE void finish_tile(const SumEpilogue& e, const TilePlace& at, const int32_t* sums, void* out,
                              int64_t out_stride) {
  constexpr int64_t kRow = kVectors * kSumLanes;
  if (e.result == SumEpilogue::kInt32) {
    for (int64_t i = 0; i < at.rows; ++i)
      std::copy(sums + i * kRow, sums + i * kRow + at.columns,
                static_cast<int32_t*>(out) + (at.row + i) * out_stride + at.column);
    return;
  }
  int64_t i = 0;
  for (; i + 2 <= at.rows; i += 2)
    finish_rows<2, kVectors>(e, {at.row + i, 2, at.column, at.columns}, sums + i * kRow, out, out_stride);
  if (i < at.rows)
    finish_rows<1, kVectors>(e, {at.row + i, 1, at.column, at.columns}, sums + i * kRow, out, out_stride);
}

template <int kRows, int kVectors> HWY_INLINE void store_sums(const Sums (&sums)[kRows][kVectors], int32_t* to) {
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) hn::Store(sums[i][j], SumTag(), to + (i * kVectors + j) * kSumLanes);
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
