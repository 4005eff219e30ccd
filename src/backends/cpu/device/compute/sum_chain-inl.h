// The steps that most products of bytes end with, row by row with their numbers in registers: sums times a scale, divided and rounded to bytes,
// between which another tensor of bytes may be added. Included once per instruction set, behind sum_steps-inl.h.
#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

// Multiply [, Add], Divide; or Multiply [, Add], Divide, Clamp, Round, Multiply, AddBytes, Divide.
struct SumChain {
  const BoundStep *scale = nullptr, *bias = nullptr, *first = nullptr, *last = nullptr;
  const BoundStep *limits = nullptr, *back = nullptr, *bytes = nullptr;  // where a tensor is added
};

// Whether the epilogue is such a chain.
HWY_INLINE bool read_chain(const SumEpilogue& e, SumChain& c) {
  if (e.result != SumEpilogue::kUint8 && e.result != SumEpilogue::kInt8) return false;
  size_t at = 0;
  const auto take = [&](SumStep::Kind kind)
                        HWY_ATTR { return at < e.steps.size() && e.steps[at].kind == kind ? &e.steps[at++] : nullptr; };
  c.scale = take(SumStep::kMultiply);
  c.bias = take(SumStep::kAdd);
  c.first = c.last = take(SumStep::kDivide);
  if (!c.scale || !c.last || c.last->high == 0) return false;
  if (at == e.steps.size()) return true;
  c.limits = take(SumStep::kClamp);
  const bool rounds = take(SumStep::kRound);
  c.back = take(SumStep::kMultiply);
  c.bytes = take(SumStep::kAddBytes);
  c.last = take(SumStep::kDivide);
  const auto is_whole = [](float x) { return std::abs(x) < 0x1p20f && x == std::trunc(x); };
  return c.limits && rounds && c.back && c.back->stride == 0 && c.bytes && c.last && c.last->high != 0 &&
         is_whole(c.limits->low) && is_whole(c.limits->high) && at == e.steps.size();
}

// Numbers divided and rounded: between products by a little less and by a little more than the reciprocal of the divisor; `differ` gathers
// where those are rounded to others. kExact: by the divisor itself.
template <bool kExact> HWY_INLINE Sums divided(Reals v, Reals low, Reals high, Reals divisor, Sums& differ) {
  if constexpr (kExact) return whole_of(hn::Div(v, divisor));
  const Sums least = whole_of(hn::Mul(v, low)), most = whole_of(hn::Mul(v, high));
  differ = hn::Or(differ, hn::Xor(least, most));
  return least;
}

// Whether products of sums and of these numbers are neither too large nor too small to be rounded as others are.
HWY_INLINE bool are_moderate(Reals scale, Reals product) {
  const RealTag d;
  const Reals size = hn::Abs(product);
  const auto small = hn::And(hn::Lt(size, hn::Set(d, 0x1p-60f)), hn::Ne(scale, hn::Zero(d)));
  return hn::AllTrue(d, hn::Le(size, hn::Set(d, 0x1p60f))) && hn::AllFalse(d, small);
}

// What a group of columns is finished with.
template <int kVectors> struct ChainColumns {
  ChainColumns(const SumChain& chain, const SumEpilogue& e, const TilePlace& place)
      : at(place), first(*chain.first), last(*chain.last) {
    const RealTag d;
    first_divisor = hn::Set(d, chain.first->low), last_divisor = hn::Set(d, chain.last->low);
    if (chain.bytes) {
      least = hn::Set(d, chain.limits->low), most = hn::Set(d, chain.limits->high);
      back = hn::Set(d, *static_cast<const float*>(chain.back->operand));
      bytes_zero = hn::Set(d, chain.bytes->low), bytes_scale = hn::Set(d, chain.bytes->high);
      bytes = static_cast<const uint8_t*>(chain.bytes->operand) + at.row * chain.bytes->stride + at.column;
      bytes_stride = chain.bytes->stride, signed_bytes = chain.bytes->is_signed;
    }
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      start[j] = e.start ? hn::LoadU(SumTag(), e.start + at.column_of(j)) : hn::Zero(SumTag());
      scale[j] = per_column(*chain.scale, at, j);
      low[j] = hn::Mul(scale[j], first.low);
      high[j] = hn::Mul(scale[j], first.high);
      bias[j] = chain.bias ? per_column(*chain.bias, at, j) : hn::Zero(d);
      moderate &= are_moderate(scale[j], high[j]);
    }
  }
  TilePlace at;
  bool moderate = true;
  Quotients first, last;
  Reals first_divisor, last_divisor;
  Sums start[kVectors];
  Reals scale[kVectors], low[kVectors], high[kVectors], bias[kVectors];
  Reals least, most, back, bytes_zero, bytes_scale;
  const uint8_t* bytes = nullptr;
  int64_t bytes_stride = 0;
  bool signed_bytes = false;
};

// One row of stored sums as whole numbers; false when they may be others.
template <bool kExact, bool kBias, bool kBytes, int kVectors>
HWY_INLINE bool finish_row(const ChainColumns<kVectors>& c, const int32_t* sums, const uint8_t* bytes,
                           Sums (&results)[kVectors]) {
  const RealTag d;
  const SumTag whole;
  Sums differ = hn::Zero(whole);
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) {
    const Reals sum = hn::ConvertTo(d, hn::Add(hn::LoadU(whole, sums + j * kSumLanes), c.start[j]));
    if constexpr (kBias || kExact) {
      Reals v = hn::Mul(sum, c.scale[j]);
      if constexpr (kBias) v = hn::Add(v, c.bias[j]);
      results[j] = divided<kExact>(v, c.first.low, c.first.high, c.first_divisor, differ);
    } else {
      results[j] = divided<false>(sum, c.low[j], c.high[j], c.first_divisor, differ);
    }
    if constexpr (kBytes) {
      const int64_t n = c.at.columns - j * kSumLanes;
      if (n <= 0) continue;
      const Reals rounded = hn::Min(hn::Max(hn::ConvertTo(d, results[j]), c.least), c.most);
      const Reals other =
          hn::Mul(hn::Sub(load_bytes(bytes + j * kSumLanes, c.signed_bytes, n), c.bytes_zero), c.bytes_scale);
      results[j] =
          divided<kExact>(hn::Add(hn::Mul(rounded, c.back), other), c.last.low, c.last.high, c.last_divisor, differ);
    }
  }
  return kExact || hn::AllTrue(whole, hn::Eq(differ, hn::Zero(whole)));
}

template <bool kBias, bool kBytes, int kVectors>
HWY_INLINE void finish_rows(const ChainColumns<kVectors>& c, const SumEpilogue& e, const int32_t* sums, void* out,
                            int64_t out_stride) {
  HWY_ALIGN uint8_t aligned[256];
  const uint8_t* const table = e.table ? aligned : nullptr;
  if (table) std::memcpy(aligned, e.table, sizeof aligned);
  const bool is_signed = e.result == SumEpilogue::kInt8;
  const int32_t zero = e.zero;
  const uint8_t* bytes = c.bytes;
  uint8_t* to = static_cast<uint8_t*>(out) + c.at.row * out_stride + c.at.column;
  for (int64_t i = 0; i < c.at.rows; ++i, sums += kInt8Group, to += out_stride) {
    Sums results[kVectors];
    if (!finish_row<false, kBias, kBytes>(c, sums, bytes, results))
      finish_row<true, kBias, kBytes>(c, sums, bytes, results);
    if (is_signed) store_bytes(results, zero, reinterpret_cast<int8_t*>(to), c.at.columns, table);
    else store_bytes(results, zero, to, c.at.columns, table);
    if constexpr (kBytes) bytes += c.bytes_stride;
  }
}

// Rows of stored sums, kInt8Group apart. False where the numbers are too large or too small for it; then nothing is done.
template <int kVectors>
HWY_INLINE bool finish_chain(const SumChain& chain, const SumEpilogue& e, const int32_t* sums, const TilePlace& at,
                             void* out, int64_t out_stride) {
  const ChainColumns<kVectors> c(chain, e, at);
  if (!c.moderate) return false;
  if (chain.bias && chain.bytes) finish_rows<true, true>(c, e, sums, out, out_stride);
  else if (chain.bytes) finish_rows<false, true>(c, e, sums, out, out_stride);
  else if (chain.bias) finish_rows<true, false>(c, e, sums, out, out_stride);
  else finish_rows<false, false>(c, e, sums, out, out_stride);
  return true;
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
