// Matrix products with weights of 2, 4 or 8 bits in blocks, integers or small floats: a word of each column is unpacked to as many vectors as it holds codes, each
// of which is multiplied into all rows of a tile. What the zero points take off is the sum of the row's elements times them.
// One row, whose product is as fast as its weights are read, is made of integers where the machine adds four products of bytes at once:
// the elements of a block are multiples of a power of two, 2^-22 of the largest or less, in three bytes each.
#include "backends/cpu/device/compute/product_blocks.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/device/compute/hwy_byte_targets.h"
#include "backends/cpu/device/compute/parallel.h"
#include "tensor/half.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/product_blocks.cpp"
#include "hwy/foreach_target.h"

#include "backends/cpu/device/compute/sum_steps-inl.h"

#ifndef KILN_ONE_ROW  // once, for all targets
#define KILN_ONE_ROW
namespace kiln::cpu {
namespace {

constexpr int kLimbs = 3;             // signed bytes of an element
constexpr int64_t kTermsAtOnce = 16;  // that become bytes

// How the blocks of one row lie in scratch. An element is (limb 0 * 2^16 + limb 1 * 2^8 + limb 2) * step.
struct OneRow {
  OneRow(const BlockWeights& w, float* at)
      : plane((w.block + kTermsAtOnce - 1) / kTermsAtOnce * (kTermsAtOnce / 4)),
        steps(at),
        sums(reinterpret_cast<int32_t*>(at + w.blocks())),
        limbs(sums + kLimbs * w.blocks()) {}
  int64_t count(const BlockWeights& w) const { return w.blocks() * (1 + kLimbs + kLimbs * plane); }
  int64_t plane;  // words of one limb of a block
  float* steps;   // of each block
  int32_t* sums;  // of each block and limb
  // Of each block and limb: for each word of codes and each of its parts the four bytes that are multiplied with the codes part,
  // part + parts, … of the word.
  int32_t* limbs;
};

}  // namespace
}  // namespace kiln::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

using WordTag = hn::CappedTag<int32_t, BlockWeights::kPanel>;
using FloatTag = hn::RebindToFloat<WordTag>;
using Words = hn::Vec<WordTag>;
using Floats = hn::Vec<FloatTag>;
inline constexpr int kLanes = static_cast<int>(hn::MaxLanes(WordTag()));
inline constexpr int kManyRows = kLanes == 16 ? 8 : 4;
inline constexpr int kFewRows = 4;

// Codes are counted from the middle, where weights and their zero points mostly lie: sums of large numbers would lose what lies between.
template <int kBits> inline constexpr int kMiddle = 1 << (kBits - 1);

// Zero points counted from there.
template <int kBits> HWY_INLINE Floats zero_from_middle(const BlockProduct& p, int64_t at) {
  const FloatTag d;
  if (!p.zeros || p.weights.code != BlockCode::kInteger) return hn::Zero(d);
  return hn::Sub(hn::LoadU(d, p.zeros + at), hn::Set(d, kMiddle<kBits>));
}

// The lowest code of each word, as floats.
template <int kBits> HWY_INLINE Floats low_codes(Words words) {
#if HWY_TARGET <= HWY_AVX3
  if constexpr (kBits == 4)
    return Floats{_mm512_permutexvar_ps(words.raw, _mm512_setr_ps(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6,
                                                                  7))};  // reads four bits of a word
#endif
  const Words codes = hn::And(words, hn::Set(WordTag(), (1 << kBits) - 1));
  return hn::ConvertTo(FloatTag(), hn::Sub(codes, hn::Set(WordTag(), kMiddle<kBits>)));
}

// The lowest code of each word as what it stands for, divided by code_scale(): a float8 is the upper part of a float16.
template <int kBits, BlockCode kCode> HWY_INLINE Floats low_numbers(Words words) {
  const WordTag d;
  const hn::RebindToUnsigned<WordTag> du;
  if constexpr (kCode == BlockCode::kInteger) {
    return low_codes<kBits>(words);
  } else if constexpr (kCode == BlockCode::kE2M1) {
    const hn::Repartition<int8_t, WordTag> d8;
    HWY_ALIGN static constexpr int8_t kTwice[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
    const auto index = hn::And(hn::ShiftLeft<24>(words), hn::Set(d, 0x0F000000));
    const auto twice = hn::TableLookupBytes(hn::LoadDup128(d8, kTwice), hn::BitCast(d8, index));
    return hn::ConvertTo(FloatTag(), hn::ShiftRight<24>(hn::BitCast(d, twice)));
  } else {
    const hn::Rebind<uint16_t, WordTag> d16;
    const hn::Rebind<hwy::float16_t, WordTag> df16;
    const auto raised = hn::ShiftLeft<8>(words);
    const auto half = kCode == BlockCode::kE5M2 ? hn::And(raised, hn::Set(d, 0xFF00))
                                                : hn::Or(hn::And(raised, hn::Set(d, 0x8000)),
                                                         hn::And(hn::ShiftLeft<7>(words), hn::Set(d, 0x3F80)));
    return hn::PromoteTo(FloatTag(), hn::BitCast(df16, hn::TruncateTo(d16, hn::BitCast(du, half))));
  }
}

// Sums of one block: of kRows rows and kVectors vectors of columns. Sums of even and odd terms are apart where rows are few.
template <int kBits, BlockCode kCode, int kRows, int kVectors>
HWY_INLINE void add_block(const float* const* rows, int64_t terms, const int32_t* packed, int64_t step,
                          Floats (&sums)[kRows][kVectors]) {
  constexpr int kCodes = 32 / kBits;
  constexpr int kApart = kRows == 1 ? 2 : 1;
  const FloatTag d;
  Floats parts[kApart][kRows][kVectors];
#pragma GCC unroll 8
  for (int part = 0; part < kApart; ++part)
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) parts[part][i][j] = hn::Zero(d);
  const auto add_term = [&](int part, Words(&words)[kVectors], int64_t t) HWY_ATTR {
    Floats w[kVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      w[j] = low_numbers<kBits, kCode>(words[j]);
      words[j] = hn::BitCast(WordTag(), hn::ShiftRight<kBits>(hn::BitCast(hn::RebindToUnsigned<WordTag>(), words[j])));
    }
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const Floats x = hn::Set(d, rows[i][t]);
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) parts[part][i][j] = hn::MulAdd(x, w[j], parts[part][i][j]);
    }
  };
  for (int64_t t = 0; t < terms; t += kCodes, packed += step) {
    Words words[kVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) words[j] = hn::LoadU(WordTag(), packed + j * kLanes);
    if (t + kCodes <= terms) {
#pragma GCC unroll 16
      for (int i = 0; i < kCodes; ++i) add_term(i % kApart, words, t + i);
    } else {
      for (int64_t i = t; i < terms; ++i) add_term(0, words, i);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j)
      sums[i][j] = kApart == 2 ? hn::Add(parts[0][i][j], parts[kApart - 1][i][j]) : parts[0][i][j];
}

// `rows` rows, at most kRows, from `row` on, and kVectors vectors of columns from `column` on.
template <int kBits, BlockCode kCode, int kRows, int kVectors>
HWY_NOINLINE void run_tile(const BlockProduct& p, const float* row_sums, int64_t row, int64_t rows, int64_t column) {
  const BlockWeights& w = p.weights;
  const FloatTag d;
  const int64_t group = column / BlockWeights::kGroup * BlockWeights::kGroup, padded = w.padded_columns();
  const int64_t width = std::min(BlockWeights::kGroup, padded - group);
  const int32_t* packed = p.packed + group * w.words() + column - group;
  const float *from[kRows], *sums_of[kRows];
  Floats totals[kRows][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
    const int64_t at = row + std::min<int64_t>(i, rows - 1);
    from[i] = p.a + at * p.a_stride;
    sums_of[i] = row_sums + at * w.blocks();
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) totals[i][j] = hn::Zero(d);
  }
  for (int64_t b = 0; b < w.blocks(); ++b) {
    Floats sums[kRows][kVectors];
    add_block<kBits, kCode>(from, w.block_terms(b), packed, width, sums);
    const int64_t at = w.parameter(b, column);
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      const Floats scale = hn::LoadU(d, p.scales + at + j * kLanes);
      const Floats zero = zero_from_middle<kBits>(p, at + j * kLanes);
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i)
        totals[i][j] = hn::MulAdd(hn::NegMulAdd(zero, hn::Set(d, sums_of[i][b]), sums[i][j]), scale, totals[i][j]);
    }
    packed += w.block_words(b) * width;
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) from[i] += w.block;
  }
  HWY_ALIGN float stored[kVectors * kLanes];
  const int64_t columns = std::min<int64_t>(kVectors * kLanes, w.columns - column);
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
    if (i >= rows) break;
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) hn::Store(totals[i][j], d, stored + j * kLanes);
    std::copy_n(stored, columns, p.out + (row + i) * p.out_stride + column);
  }
}

// Rows [row, row + rows) of the columns [column, end), whole vectors.
template <int kBits, BlockCode kCode, int kRows, int kVectors>
void run_columns(const BlockProduct& p, const float* row_sums, int64_t row, int64_t rows, int64_t column, int64_t end) {
  for (; column + kVectors * kLanes <= end; column += kVectors * kLanes)
    run_tile<kBits, kCode, kRows, kVectors>(p, row_sums, row, rows, column);
  for (; column < end; column += kLanes) run_tile<kBits, kCode, kRows, 1>(p, row_sums, row, rows, column);
}

template <int kBits, BlockCode kCode>
void run_rows(const BlockProduct& p, const float* row_sums, int64_t row, int64_t end, int64_t column, int64_t last) {
  while (row < end) {
    const int64_t rows = std::min<int64_t>(kManyRows, end - row);
    if (rows == 1) run_columns<kBits, kCode, 1, 4>(p, row_sums, row, rows, column, last);
    else if (rows <= kFewRows) run_columns<kBits, kCode, kFewRows, 2>(p, row_sums, row, rows, column, last);
    else run_columns<kBits, kCode, kManyRows, 2>(p, row_sums, row, rows, column, last);
    row += rows;
  }
}

void run_group(const BlockProduct& p, const float* row_sums, int64_t row, int64_t end, int64_t group) {
  const int64_t last = std::min(group + BlockWeights::kGroup, p.weights.padded_columns());
  using enum BlockCode;
  switch (p.weights.code) {
    case kE2M1: return run_rows<4, kE2M1>(p, row_sums, row, end, group, last);
    case kE4M3: return run_rows<8, kE4M3>(p, row_sums, row, end, group, last);
    case kE5M2: return run_rows<8, kE5M2>(p, row_sums, row, end, group, last);
    case kInteger: break;
  }
  if (p.weights.bits == 8) run_rows<8, kInteger>(p, row_sums, row, end, group, last);
  else if (p.weights.bits == 4) run_rows<4, kInteger>(p, row_sums, row, end, group, last);
  else run_rows<2, kInteger>(p, row_sums, row, end, group, last);
}

#if HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX2

inline constexpr int64_t kStreams = 4;  // places at which the weights of one row are read at a time

// Calls run(i) for i < count, in as many streams as there are.
template <class Run> HWY_INLINE void in_streams(int64_t count, Run&& run) {
  const int64_t length = count / kStreams;
  for (int64_t i = 0; i < length; ++i)
    for (int64_t s = 0; s < kStreams; ++s) run(s * length + i);
  for (int64_t i = kStreams * length; i < count; ++i) run(i);
}

// kVectors vectors of columns from `column` on of the block, times the row, onto `totals`.
template <int kBits, int kVectors>
HWY_INLINE void add_integer_block(const BlockProduct& p, const OneRow& row, int64_t block, int64_t column,
                                  const int32_t* packed, int64_t width, Floats (&totals)[kVectors]) {
  constexpr int kParts = 8 / kBits;
  const WordTag d;
  const FloatTag df;
  const Words mask = hn::Set(d, kBits == 8 ? -1 : kBits == 4 ? 0x0F0F0F0F : 0x03030303);
  const int32_t* limbs = row.limbs + block * kLimbs * row.plane;
  Words sums[kLimbs][kVectors];
#pragma GCC unroll 4
  for (int l = 0; l < kLimbs; ++l)
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) sums[l][j] = hn::Zero(d);
  in_streams(p.weights.block_words(block), [&](int64_t word) HWY_ATTR {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      Words codes = hn::LoadU(d, packed + word * width + j * kLanes);
#pragma GCC unroll 4
      for (int part = 0; part < kParts; ++part) {
        const Words own = hn::And(codes, mask);
#pragma GCC unroll 4
        for (int l = 0; l < kLimbs; ++l)
          sums[l][j] = add_products<true>(sums[l][j], own, hn::Set(d, limbs[l * row.plane + word * kParts + part]));
        codes = hn::ShiftRight<kBits % 8>(codes);
      }
    }
  });
  const int64_t parameters = p.weights.parameter(block, column);
  const Floats step = hn::Set(df, row.steps[block]);
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) {
    const Floats zero = zero_from_middle<kBits>(p, parameters + j * kLanes);
    Floats total = hn::Zero(df);
#pragma GCC unroll 4
    for (int l = 0; l < kLimbs; ++l) {
      const int32_t sum = row.sums[block * kLimbs + l];
      const Floats centred = hn::ConvertTo(df, hn::Sub(sums[l][j], hn::Set(d, kMiddle<kBits> * sum)));
      total =
          hn::MulAdd(total, hn::Set(df, 256.0f), hn::NegMulAdd(zero, hn::Set(df, static_cast<float>(sum)), centred));
    }
    totals[j] = hn::MulAdd(total, hn::Mul(hn::LoadU(df, p.scales + parameters + j * kLanes), step), totals[j]);
  }
}

template <int kBits, int kVectors>
HWY_NOINLINE void run_integer_tile(const BlockProduct& p, const OneRow& row, int64_t column) {
  const BlockWeights& w = p.weights;
  const FloatTag d;
  const int64_t group = column / BlockWeights::kGroup * BlockWeights::kGroup;
  const int64_t width = std::min(BlockWeights::kGroup, w.padded_columns() - group);
  const int32_t* packed = p.packed + group * w.words() + column - group;
  Floats totals[kVectors];
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) totals[j] = hn::Zero(d);
  in_streams(w.blocks(), [&](int64_t b) HWY_ATTR {
    add_integer_block<kBits>(p, row, b, column, packed + b * w.block_words(0) * width, width, totals);
  });
  HWY_ALIGN float stored[kVectors * kLanes];
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) hn::Store(totals[j], d, stored + j * kLanes);
  std::copy_n(stored, std::min<int64_t>(kVectors * kLanes, w.columns - column), p.out + column);
}

template <int kBits> void run_integer_columns(const BlockProduct& p, const OneRow& row, int64_t column, int64_t end) {
  for (; column + 4 * kLanes <= end; column += 4 * kLanes) run_integer_tile<kBits, 4>(p, row, column);
  for (; column < end; column += kLanes) run_integer_tile<kBits, 1>(p, row, column);
}

void run_integer_group(const BlockProduct& p, const OneRow& row, int64_t group) {
  const int64_t last = std::min(group + BlockWeights::kGroup, p.weights.padded_columns());
  if (p.weights.bits == 8) run_integer_columns<8>(p, row, group, last);
  else if (p.weights.bits == 4) run_integer_columns<4>(p, row, group, last);
  else run_integer_columns<2>(p, row, group, last);
}

// Where the bytes of 16 terms go: those of one word and part side by side.
HWY_ALIGN inline constexpr uint8_t kBytesOfParts[3][kTermsAtOnce] = {
    {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15},
    {0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

// The largest magnitude, in the bits of a float32.
uint32_t largest_bits(const float* from, int64_t terms) {
  const hn::RebindToUnsigned<FloatTag> du;
  auto most = hn::Zero(du);
  for (int64_t t = 0; t < terms; t += kLanes) {
    const Floats some = load_some(FloatTag(), from + t, std::min<int64_t>(kLanes, terms - t));
    most = hn::Max(most, hn::BitCast(du, hn::Abs(some)));
  }
  return hn::GetLane(hn::MaxOfLanes(du, most));
}

float power_of_two(int32_t biased) {
  const auto bits = static_cast<uint32_t>(biased) << 23;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Bits that elements of one block have at most, and the limits of the largest one's exponent: what is made with it are normal numbers.
inline constexpr int32_t kElementBits = 22, kLeastExponent = 40, kMostExponent = 230;

// The elements of a block in bytes; false when they are no numbers, or too small or large for that.
bool split_block(const float* from, int64_t terms, int64_t bits, int64_t block, const OneRow& row) {
  const uint32_t largest = largest_bits(from, terms);
  const auto exponent = static_cast<int32_t>(largest >> 23);  // the largest is below 2^(exponent - 126)
  if (largest != 0 && (exponent < kLeastExponent || exponent > kMostExponent)) return false;
  row.steps[block] = largest == 0 ? 0 : power_of_two(exponent + 1 - kElementBits);
  const FloatTag df;
  const WordTag d;
  const hn::Rebind<int8_t, WordTag> d8;
  using BytesTag = hn::CappedTag<uint8_t, kTermsAtOnce>;
  const BytesTag d16;
  const Floats inverse = hn::Set(df, largest == 0 ? 0 : power_of_two(253 + kElementBits - exponent));
  const Floats magic = hn::Set(df, 12582912.0f);  // 1.5 * 2^23: what is added to it is rounded to a whole number
  const auto order = hn::Load(d16, kBytesOfParts[bits == 2 ? 0 : bits == 4 ? 1 : 2]);
  int32_t* to = row.limbs + block * kLimbs * row.plane;
  Words sums[kLimbs] = {hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  for (int64_t t = 0; t < terms; t += kTermsAtOnce, to += kTermsAtOnce / 4) {
    HWY_ALIGN int8_t bytes[kLimbs][kTermsAtOnce];
#pragma GCC unroll 2
    for (int64_t i = 0; i < kTermsAtOnce; i += kLanes) {
      const Floats some = load_some(df, from + t + i, std::clamp<int64_t>(terms - t - i, 0, kLanes));
      const Floats whole = hn::Add(hn::Mul(some, inverse), magic);
      const Words element = hn::Sub(hn::BitCast(d, whole), hn::BitCast(d, magic));
      // Each byte moved up by 128, so that none borrows from the next.
      const Words moved = hn::Xor(hn::Add(element, hn::Set(d, 0x808080)), hn::Set(d, 0x808080));
      const Words limbs[kLimbs] = {hn::ShiftRight<24>(hn::ShiftLeft<8>(moved)),
                                   hn::ShiftRight<24>(hn::ShiftLeft<16>(moved)),
                                   hn::ShiftRight<24>(hn::ShiftLeft<24>(moved))};
#pragma GCC unroll 4
      for (int l = 0; l < kLimbs; ++l) {
        sums[l] = hn::Add(sums[l], limbs[l]);
        hn::StoreU(hn::DemoteTo(d8, limbs[l]), d8, bytes[l] + i);
      }
    }
#pragma GCC unroll 4
    for (int l = 0; l < kLimbs; ++l) {
      const auto in_order =
          hn::TableLookupBytes(hn::BitCast(d16, hn::Load(hn::RebindToSigned<BytesTag>(), bytes[l])), order);
      hn::StoreU(in_order, d16, reinterpret_cast<uint8_t*>(to + l * row.plane));
    }
  }
  for (int l = 0; l < kLimbs; ++l) row.sums[block * kLimbs + l] = hn::GetLane(hn::SumOfLanes(d, sums[l]));
  return true;
}

bool split_row(const BlockProduct& p, const OneRow& row) {
  if (!by_instruction([](auto four) { return four(); })) return false;
  const BlockWeights& w = p.weights;
  for (int64_t b = 0; b < w.blocks(); ++b)
    if (!split_block(p.a + b * w.block, w.block_terms(b), w.bits, b, row)) return false;
  return true;
}

#else

bool split_row(const BlockProduct&, const OneRow&) { return false; }
void run_integer_group(const BlockProduct&, const OneRow&, int64_t) {}

#endif

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(run_group);
HWY_EXPORT(run_integer_group);
HWY_EXPORT(split_row);

namespace {

constexpr double kTermsPerNanosecond = 20;
constexpr int64_t kRowsAtOnce = 64;

// Of each row and block; a double keeps the many terms of long blocks.
void sum_rows(const BlockProduct& p, float* sums) {
  for (int64_t i = 0; i < p.rows; ++i)
    for (int64_t b = 0; b < p.weights.blocks(); ++b) {
      const float* from = p.a + i * p.a_stride + b * p.weights.block;
      double sum = 0;
      for (int64_t t = 0; t < p.weights.block_terms(b); ++t) sum += from[t];
      *sums++ = static_cast<float>(sum);
    }
}

// What low_numbers makes of a code.
float number_of(BlockCode code, uint32_t bits) {
  constexpr float kMagnitudes[8] = {0, 1, 2, 3, 4, 6, 8, 12};
  switch (code) {
    case BlockCode::kInteger: return static_cast<float>(bits);
    case BlockCode::kE2M1: return bits & 8 ? -kMagnitudes[bits & 7] : kMagnitudes[bits & 7];
    case BlockCode::kE4M3: return f16_to_float(static_cast<uint16_t>((bits & 0x80) << 8 | (bits & 0x7F) << 7));
    case BlockCode::kE5M2: return f16_to_float(static_cast<uint16_t>(bits << 8));
  }
  return 0;
}

// With each weight as it is. Where a sum of elements is infinite or not a number, taking it times the zero point off is neither.
void run_row_plainly(const BlockProduct& p, int64_t row) {
  const BlockWeights& w = p.weights;
  const int64_t codes = 32 / w.bits, padded = w.padded_columns();
  const uint32_t mask = (uint32_t{1} << w.bits) - 1;
  for (int64_t column = 0; column < w.columns; ++column) {
    const int64_t group = column / BlockWeights::kGroup * BlockWeights::kGroup;
    const int64_t width = std::min(BlockWeights::kGroup, padded - group);
    const int32_t* packed = p.packed + group * w.words() + column - group;
    const float* a = p.a + row * p.a_stride;
    float total = 0;
    for (int64_t b = 0; b < w.blocks(); ++b) {
      const int64_t at = w.parameter(b, column);
      const float middle = w.code == BlockCode::kInteger ? static_cast<float>(1 << (w.bits - 1)) : 0.0f;
      const float scale = p.scales[at], zero = p.zeros ? p.zeros[at] : middle;
      for (int64_t t = 0; t < w.block_terms(b); ++t) {
        const auto word = static_cast<uint32_t>(packed[t / codes * width]);
        const uint32_t code = word >> (t % codes * w.bits) & mask;
        total += a[t] * ((number_of(w.code, code) - zero) * scale);
      }
      packed += w.block_words(b) * width;
      a += w.block;
    }
    p.out[row * p.out_stride + column] = total;
  }
}

// False when the row cannot be made of integers, or sums of so many terms could not be.
bool run_one_row(const BlockProduct& p, int threads, float* scratch) {
  constexpr int64_t kMostTerms = int64_t{1} << 16;
  const BlockWeights& w = p.weights;
  const OneRow row(w, scratch);
  if (w.blocks() == 0 || w.block_terms(0) > kMostTerms || !HWY_DYNAMIC_DISPATCH(split_row)(p, row)) return false;
  const int64_t groups = (w.columns + BlockWeights::kGroup - 1) / BlockWeights::kGroup;
  const double work = static_cast<double>(w.columns * w.terms);
  parallel_ranges(useful_threads(threads, work / kTermsPerNanosecond), groups, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) HWY_DYNAMIC_DISPATCH(run_integer_group)(p, row, i * BlockWeights::kGroup);
  });
  return true;
}

}  // namespace

int64_t block_product_scratch(const BlockWeights& w, int64_t rows) noexcept {
  return rows == 1 ? OneRow(w, nullptr).count(w) : rows * w.blocks();
}

void product_blocks(const BlockProduct& p, int threads, float* scratch) noexcept {
  if (p.rows == 1 && p.weights.code == BlockCode::kInteger && run_one_row(p, threads, scratch)) return;
  const int64_t groups = (p.weights.columns + BlockWeights::kGroup - 1) / BlockWeights::kGroup;
  const int64_t parts = (p.rows + kRowsAtOnce - 1) / kRowsAtOnce;
  const double work = static_cast<double>(p.rows) * static_cast<double>(p.weights.columns * p.weights.terms);
  sum_rows(p, scratch);
  parallel_ranges(useful_threads(threads, work / kTermsPerNanosecond), groups * parts, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i % parts * kRowsAtOnce;
      HWY_DYNAMIC_DISPATCH(run_group)
      (p, scratch, row, std::min(row + kRowsAtOnce, p.rows), i / parts * BlockWeights::kGroup);
    }
  });
  const int64_t blocks = p.weights.blocks();
  for (int64_t row = 0; row < p.rows; ++row)
    if (!std::all_of(scratch + row * blocks, scratch + (row + 1) * blocks,
                     [](float sum) { return std::isfinite(sum); }))
      run_row_plainly(p, row);
}

}  // namespace kiln::cpu
#endif
