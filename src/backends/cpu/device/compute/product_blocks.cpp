// Matrix products with weights of 2, 4 or 8 bits in blocks: a word of each column is unpacked to as many vectors as it holds codes, each
// of which is multiplied into all rows of a tile. What the zero points take off is the sum of the row's elements times them.
#include "backends/cpu/device/compute/product_blocks.h"

#include <algorithm>
#include <cmath>

#include "backends/cpu/device/compute/hwy_targets.h"
#include "backends/cpu/device/compute/parallel.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/product_blocks.cpp"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using WordTag = hn::CappedTag<int32_t, BlockWeights::kPanel>;
using FloatTag = hn::RebindToFloat<WordTag>;
using Words = hn::Vec<WordTag>;
using Floats = hn::Vec<FloatTag>;
inline constexpr int kLanes = static_cast<int>(hn::MaxLanes(WordTag()));
inline constexpr int kManyRows = kLanes == 16 ? 8 : 4;
inline constexpr int kFewRows = 4;

// Codes are counted from the middle, where weights and their zero points mostly lie: sums of large numbers would lose what lies between.
template <int kBits> inline constexpr int kMiddle = 1 << (kBits - 1);

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

// Sums of one block: of kRows rows and kVectors vectors of columns. Sums of even and odd terms are apart where rows are few.
template <int kBits, int kRows, int kVectors>
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
      w[j] = low_codes<kBits>(words[j]);
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
template <int kBits, int kRows, int kVectors>
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
    add_block<kBits>(from, w.block_terms(b), packed, width, sums);
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      const Floats scale = hn::LoadU(d, p.scales + b * padded + column + j * kLanes);
      const Floats zero = hn::Sub(hn::LoadU(d, p.zeros + b * padded + column + j * kLanes), hn::Set(d, kMiddle<kBits>));
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
template <int kBits, int kRows, int kVectors>
void run_columns(const BlockProduct& p, const float* row_sums, int64_t row, int64_t rows, int64_t column, int64_t end) {
  for (; column + kVectors * kLanes <= end; column += kVectors * kLanes)
    run_tile<kBits, kRows, kVectors>(p, row_sums, row, rows, column);
  for (; column < end; column += kLanes) run_tile<kBits, kRows, 1>(p, row_sums, row, rows, column);
}

template <int kBits>
void run_rows(const BlockProduct& p, const float* row_sums, int64_t row, int64_t end, int64_t column, int64_t last) {
  while (row < end) {
    const int64_t rows = std::min<int64_t>(kManyRows, end - row);
    if (rows == 1) run_columns<kBits, 1, 4>(p, row_sums, row, rows, column, last);
    else if (rows <= kFewRows) run_columns<kBits, kFewRows, 2>(p, row_sums, row, rows, column, last);
    else run_columns<kBits, kManyRows, 2>(p, row_sums, row, rows, column, last);
    row += rows;
  }
}

void run_group(const BlockProduct& p, const float* row_sums, int64_t row, int64_t end, int64_t group) {
  const int64_t last = std::min(group + BlockWeights::kGroup, p.weights.padded_columns());
  if (p.weights.bits == 8) run_rows<8>(p, row_sums, row, end, group, last);
  else if (p.weights.bits == 4) run_rows<4>(p, row_sums, row, end, group, last);
  else run_rows<2>(p, row_sums, row, end, group, last);
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(run_group);

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
      const float scale = p.scales[b * padded + column], zero = p.zeros[b * padded + column];
      for (int64_t t = 0; t < w.block_terms(b); ++t) {
        const auto word = static_cast<uint32_t>(packed[t / codes * width]);
        const uint32_t code = word >> (t % codes * w.bits) & mask;
        total += a[t] * ((static_cast<float>(code) - zero) * scale);
      }
      packed += w.block_words(b) * width;
      a += w.block;
    }
    p.out[row * p.out_stride + column] = total;
  }
}

}  // namespace

void product_blocks(const BlockProduct& p, int threads, float* scratch) noexcept {
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
