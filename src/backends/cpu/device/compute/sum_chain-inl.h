// The steps that most products of bytes end with, row by row with their numbers in registers: sums times a scale, rounded to bytes, before which
// another tensor of bytes may be added. Included once per instruction set, behind sum_steps-inl.h.
#include <cmath>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

// Multiply [, Add] [, Divide], then perhaps Clamp, Round [, Multiply], AddBytes [, Multiply] [, Divide]; or AtLeast, where the step before it is
// not a Divide.
struct SumChain {
  const BoundStep *scale = nullptr, *bias = nullptr, *divisor = nullptr;
  const BoundStep *limits = nullptr, *back = nullptr, *bytes = nullptr, *factor = nullptr,
                  *last = nullptr;  // where a tensor is added
  const BoundStep* least = nullptr;
};

// Whether the epilogue is such a chain.
HWY_INLINE bool read_chain(const SumEpilogue& e, SumChain& c) {
  if (e.result != SumEpilogue::kUint8 && e.result != SumEpilogue::kInt8) return false;
  size_t at = 0;
  const auto take = [&](SumStep::Kind kind)
                        HWY_ATTR { return at < e.steps.size() && e.steps[at].kind == kind ? &e.steps[at++] : nullptr; };
  // By its reciprocal; by a number for all columns.
  const auto divisor = [&]() HWY_ATTR {
    return at < e.steps.size() && e.steps[at].high != 0 ? take(SumStep::kDivide) : nullptr;
  };
  const auto number = [&]() HWY_ATTR {
    return at < e.steps.size() && e.steps[at].stride == 0 ? take(SumStep::kMultiply) : nullptr;
  };
  c.scale = take(SumStep::kMultiply);
  if (!c.scale) return false;
  c.bias = take(SumStep::kAdd);
  c.divisor = divisor();
  if ((c.limits = take(SumStep::kClamp))) {
    const auto is_whole = [](float x) { return std::abs(x) < 0x1p20f && x == std::trunc(x); };
    const bool rounds = take(SumStep::kRound) && is_whole(c.limits->low) && is_whole(c.limits->high);
    c.back = number();
    c.bytes = take(SumStep::kAddBytes);
    if (!rounds || !c.bytes) return false;
    c.factor = number();
    c.last = divisor();
  }
  if (!(c.bytes ? c.last : c.divisor)) c.least = take(SumStep::kAtLeast);
  return at == e.steps.size();
}

// What a group of columns is finished with.
template <int kVectors> struct ChainColumns {
  ChainColumns(const SumChain& chain, const SumEpilogue& e, const TilePlace& at) : columns(at.columns) {
    const RealTag d;
    const auto number = [&](const BoundStep* s)
                            HWY_ATTR { return hn::Set(d, s ? *static_cast<const float*>(s->operand) : 1); };
    if (chain.bytes) {
      low = hn::Set(d, chain.limits->low), high = hn::Set(d, chain.limits->high);
      back = number(chain.back), factor = number(chain.factor);
      bytes_zero = hn::Set(d, chain.bytes->low), bytes_scale = hn::Set(d, chain.bytes->high);
      bytes = static_cast<const uint8_t*>(chain.bytes->operand) + at.row * chain.bytes->stride + at.column;
      bytes_stride = chain.bytes->stride, signed_bytes = chain.bytes->is_signed;
    }
    least = hn::Set(d, chain.least ? chain.least->low : -std::numeric_limits<float>::infinity());
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      start[j] = e.start ? hn::LoadU(SumTag(), e.start + at.column_of(j)) : hn::Zero(SumTag());
      scale[j] = per_column(*chain.scale, at, j);
      bias[j] = chain.bias ? per_column(*chain.bias, at, j) : hn::Zero(d);
    }
  }
  int64_t columns;
  Sums start[kVectors];
  Reals scale[kVectors], bias[kVectors];
  Reals low, high, back, factor, bytes_zero, bytes_scale, least;
  const uint8_t* bytes = nullptr;
  int64_t bytes_stride = 0;
  bool signed_bytes = false;
};

// Numbers, divided or not, as whole ones, which are limited at once.
template <int kVectors>
HWY_INLINE void round_row(const BoundStep* divisor, const Reals (&v)[kVectors], Sums (&to)[kVectors]) {
  if (divisor) return divide_to_whole(*divisor, v, to, [](Reals x) HWY_ATTR { return limited_whole_of(x); });
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) to[j] = limited_whole_of(v[j]);
}

// Rows of stored sums, kInt8Group apart.
template <bool kBias, bool kBytes, int kVectors>
HWY_INLINE void finish_chain(const SumChain& chain, const SumEpilogue& e, const int32_t* sums, const TilePlace& at,
                             void* out, int64_t out_stride) {
  const RealTag d;
  const SumTag whole;
  const ChainColumns<kVectors> c(chain, e, at);
  HWY_ALIGN uint8_t aligned[256];
  const uint8_t* const table = e.table ? aligned : nullptr;
  if (table) std::memcpy(aligned, e.table, sizeof aligned);
  const bool is_signed = e.result == SumEpilogue::kInt8, has_least = chain.least;
  const BoundStep *const divisor = chain.divisor, *const last = kBytes ? chain.last : chain.divisor;
  const int32_t zero = e.zero;
  const uint8_t* bytes = c.bytes;
  uint8_t* to = static_cast<uint8_t*>(out) + at.row * out_stride + at.column;
  for (int64_t i = 0; i < at.rows; ++i, sums += kInt8Group, to += out_stride, bytes += c.bytes_stride) {
    Reals v[kVectors];
    Sums results[kVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      const Sums sum = hn::Add(hn::LoadU(whole, sums + j * kSumLanes), c.start[j]);
      v[j] = hn::Mul(hn::ConvertTo(d, sum), c.scale[j]);
      if constexpr (kBias) v[j] = hn::Add(v[j], c.bias[j]);
    }
    if constexpr (kBytes) {
      round_row(divisor, v, results);
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) {
        const int64_t n = c.columns - j * kSumLanes;
        if (n <= 0) continue;
        const Reals rounded = hn::Min(hn::Max(hn::ConvertTo(d, results[j]), c.low), c.high);
        const Reals other = hn::Sub(load_bytes(bytes + j * kSumLanes, c.signed_bytes, n), c.bytes_zero);
        v[j] = hn::Mul(hn::Add(hn::Mul(rounded, c.back), hn::Mul(other, c.bytes_scale)), c.factor);
      }
    }
    if (has_least) {
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) v[j] = hn::Max(v[j], c.least);
    }
    round_row(last, v, results);
    store_bytes_as(is_signed, results, zero, to, c.columns, table);
  }
}

template <int kVectors>
HWY_INLINE void finish_chain(const SumChain& chain, const SumEpilogue& e, const int32_t* sums, const TilePlace& at,
                             void* out, int64_t out_stride) {
  if (chain.bias && chain.bytes) finish_chain<true, true, kVectors>(chain, e, sums, at, out, out_stride);
  else if (chain.bytes) finish_chain<false, true, kVectors>(chain, e, sums, at, out, out_stride);
  else if (chain.bias) finish_chain<true, false, kVectors>(chain, e, sums, at, out, out_stride);
  else finish_chain<false, false, kVectors>(chain, e, sums, at, out, out_stride);
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
