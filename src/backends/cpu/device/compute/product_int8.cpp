// Matrix products of bytes, and of bfloat16 and int16 as two bytes each: four products of bytes are added by one instruction where the machine has it,
// else pairs of int16.
#include "backends/cpu/device/compute/product_int8.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "backends/cpu/device/compute/hwy_byte_targets.h"
#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/compute/product_tiles.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/product_int8.cpp"
#include "hwy/foreach_target.h"

#include "backends/cpu/device/compute/sum_steps-inl.h"
// behind it
#include "backends/cpu/device/compute/interleave-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

// The tile that fits the registers, in rows and panels.
inline constexpr int kPanelVectors = static_cast<int>(kInt8Panel) / kSumLanes;
template <bool kFour>
inline constexpr int kTileRows = kSumLanes == 4             ? (kFour ? 3 : 2)
                                 : kSumLanes == 16 || kFour ? 6
                                                            : 4;
inline constexpr int kTilePanels = kSumLanes == 16 ? 4 : 1;
inline constexpr bool kClosesPanels =
    kTilePanels == 1;  // lines of a cache that are read four apart have few places there
inline constexpr int kRowPanels = kSumLanes >= 8 ? 4 : 1;  // of a single row, which reads all that lie interleaved

struct Tile {
  const uint8_t* const* rows;
  std::span<const int64_t> pieces;
  int64_t terms;         // of a piece, a multiple of four
  const int8_t* panels;  // the first of them
  int64_t group;         // panels that lie interleaved
  int64_t apart;         // bytes from one panel to the next where none do
  TilePlace at;          // columns count from the first column of the product
  const int32_t* start;  // of the first panel's columns
};

// sums + the products of two numbers of bfloat16 of `a` and of `b` in each lane.
template <bool kNative> HWY_INLINE Reals add_bfloats(Reals sums, Sums a, Sums b) {
#if HWY_TARGET == HWY_AVX3_DL
  if constexpr (kNative) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sums.raw) : "v"(a.raw), "v"(b.raw));
    return sums;
  }
#endif
  const RealTag d;
  const Sums high = hn::Set(SumTag(), static_cast<int32_t>(0xFFFF0000u));
  sums = hn::MulAdd(hn::BitCast(d, hn::ShiftLeft<16>(a)), hn::BitCast(d, hn::ShiftLeft<16>(b)), sums);
  return hn::MulAdd(hn::BitCast(d, hn::And(a, high)), hn::BitCast(d, hn::And(b, high)), sums);
}

using WideTag = hn::Repartition<int16_t, SumTag>;

// sums + the products of two numbers of int16 of `a` and of `b` in each lane.
HWY_INLINE Sums add_words(Sums sums, Sums a, Sums b) {
  Sums unused = hn::Zero(SumTag());
  return hn::ReorderWidenMulAccumulate(SumTag(), hn::BitCast(WideTag(), a), hn::BitCast(WideTag(), b), sums, unused);
}

// What becomes of a tile's sums, wherever they come from.
template <int kRows, int kVectors>
HWY_NOINLINE void finish_stored(const SumEpilogue& e, const TilePlace& at, const int32_t* sums, void* out,
                                int64_t out_stride) {
  Sums v[kRows][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) v[i][j] = hn::Load(SumTag(), sums + (i * kVectors + j) * kSumLanes);
  finish_tile(e, at, v, out, out_stride);
}

// How a tile multiplies: the kinds of a product, and bfloat16 by the instruction for it.
enum Way { kUnsignedWay, kFlippedWay, kBfloatWay, kNativeWay, kWordsWay };

template <Way kWay, bool kFour, int kRows, int kPanels>
HWY_NOINLINE void run_tile(const Tile& t, const SumEpilogue& e, void* out, int64_t out_stride) {
  constexpr bool kReal = kWay == kBfloatWay || kWay == kNativeWay;
  constexpr bool kWords = kWay == kWordsWay;
  constexpr int kVectors = kPanels * kPanelVectors;
  using Lanes = std::conditional_t<kReal, Reals, Sums>;
  const SumTag d;
  const std::conditional_t<kReal, RealTag, SumTag> lanes;
  Lanes sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) {
    Lanes start = hn::Zero(lanes);
    if constexpr (!kReal)
      if (t.start) start = hn::LoadU(d, t.start + j * kSumLanes);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) sums[i][j] = start;
  }
  const int64_t step = t.group * 4 * kInt8Panel;
  const uint8_t* rows[kRows];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) rows[i] = t.rows[std::min<int64_t>(i, t.at.rows - 1)];
  const int8_t* b = t.panels;
  const uint8_t* from[kRows];
  const Sums flip = hn::Set(d, static_cast<int32_t>(0x80808080u));
  const int64_t apart = kWords ? t.apart : 4 * kInt8Panel;
  for (const int64_t piece : t.pieces) {
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) from[i] = rows[i] + piece;
    for (int64_t k = 0; k < t.terms; k += 4, b += step) {
      Sums weights[kVectors];
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j)
        weights[j] = hn::BitCast(d, hn::LoadU(hn::Repartition<int8_t, SumTag>(),
                                              b + j / kPanelVectors * apart + j % kPanelVectors * 4 * kSumLanes));
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i) {
        int32_t word;
        std::memcpy(&word, from[i] + k, sizeof word);
        Sums a = hn::Set(d, word);
        if constexpr (kWay == kFlippedWay) a = hn::Xor(a, flip);
#pragma GCC unroll 8
        for (int j = 0; j < kVectors; ++j) {
          if constexpr (kReal) sums[i][j] = add_bfloats<kWay == kNativeWay>(sums[i][j], a, weights[j]);
          else if constexpr (kWords) sums[i][j] = add_words(sums[i][j], a, weights[j]);
          else sums[i][j] = add_products<kFour>(sums[i][j], a, weights[j]);
        }
      }
    }
  }
  if constexpr (kReal) {
    finish_reals<kWay == kNativeWay>(e, t.at, sums, out, out_stride);
  } else if constexpr (kWords || kRows == 1) {
    HWY_ALIGN int32_t stored[kRows * kVectors * kSumLanes];
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) hn::Store(sums[i][j], d, stored + (i * kVectors + j) * kSumLanes);
    constexpr int kAtOnce = std::min(kVectors, 4);
    finish_stored<kRows, kAtOnce>(e, t.at, stored, out, out_stride);
    if constexpr (kVectors > kAtOnce) {  // of a single row
      constexpr int64_t kDone = kAtOnce * kSumLanes;
      const TilePlace rest{t.at.row, t.at.rows, t.at.column + kDone, t.at.columns - kDone};
      finish_stored<kRows, kVectors - kAtOnce>(e, rest, stored + kDone, out, out_stride);
    }
  } else {
    finish_tile(e, t.at, sums, out, out_stride);
  }
}

using TileRunner = void (*)(const Tile&, const SumEpilogue&, void*, int64_t);

template <Way kWay, bool kFour, int kRows> TileRunner runner_of(int64_t panels) {
  if constexpr ((kRows == 1 ? kRowPanels : kTilePanels) > 1) {
    if (panels == 4) return run_tile<kWay, kFour, kRows, 4>;
    if (panels == 3) return run_tile<kWay, kFour, kRows, 3>;
    if (panels == 2) return run_tile<kWay, kFour, kRows, 2>;
  }
  return run_tile<kWay, kFour, kRows, 1>;
}

template <Way kWay, bool kFour> TileRunner runner_of(int64_t rows, int64_t panels) {
  return rows == 1 ? runner_of<kWay, kFour, 1>(panels) : runner_of<kWay, kFour, kTileRows<kFour>>(panels);
}

// Rows of a tile.
template <bool kFour> int64_t tile_rows(const Int8Product& p) {
  return p.has_words() ? kTileRows<true> : p.kind == Int8Product::kBfloat16 ? kTileRows<false> : kTileRows<kFour>;
}

// For tiles of at most so many rows, and columns of at most kTilePanels panels, or kRowPanels of a single row.
template <bool kFour> TileRunner runner_of(Int8Product::Kind kind, int64_t rows, int64_t columns) {
  const int64_t panels = (columns + kInt8Panel - 1) / kInt8Panel;
  if (kind == Int8Product::kUnsigned) return runner_of<kUnsignedWay, kFour>(rows, panels);
  if (kind == Int8Product::kFlipped) return runner_of<kFlippedWay, kFour>(rows, panels);
  if (kind == Int8Product::kWords || kind == Int8Product::kFlippedWords)
    return runner_of<kWordsWay, true>(rows, panels);
#if HWY_TARGET == HWY_AVX3_DL
  if (multiplies_bfloat16()) return runner_of<kNativeWay, false>(rows, panels);
#endif
  return runner_of<kBfloatWay, false>(rows, panels);
}

// Where four products are not added by one instruction, the rows and the columns of a block become int16 once, and pairs are multiplied.
template <bool kFour> inline constexpr bool kWidens = HWY_TARGET > HWY_AVX3 && !kFour;
inline constexpr int kWideRows = kSumLanes == 8 ? 6 : 3;
inline constexpr int64_t kPair = 2;  // terms that one instruction multiplies

struct WideTile {
  const int16_t* rows;   // wide_stride() apart
  int64_t terms;         // of a row, a multiple of four
  const int16_t* panel;  // pairs of terms by kInt8Panel columns
  TilePlace at;          // columns count from the first column of the product
  const int32_t* start;  // of the panel's columns
};

template <int kRows>
HWY_NOINLINE void run_wide_tile(const WideTile& t, const SumEpilogue& e, void* out, int64_t out_stride) {
  const SumTag d;
  const WideTag wide;
  Sums sums[kRows][kPanelVectors];
  const int16_t* rows[kRows];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) rows[i] = t.rows + std::min<int64_t>(i, t.at.rows - 1) * wide_stride(t.terms);
#pragma GCC unroll 8
  for (int j = 0; j < kPanelVectors; ++j) {
    const Sums start = t.start ? hn::LoadU(d, t.start + j * kSumLanes) : hn::Zero(d);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) sums[i][j] = start;
  }
  const int16_t* b = t.panel;
  for (int64_t k = 0; k < t.terms; k += kPair, b += kPair * kInt8Panel) {
    hn::Vec<WideTag> weights[kPanelVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kPanelVectors; ++j) weights[j] = hn::Load(wide, b + j * kPair * kSumLanes);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      int32_t word;
      std::memcpy(&word, rows[i] + k, sizeof word);
      const auto a = hn::BitCast(wide, hn::Set(d, word));
      Sums unused = hn::Zero(d);
#pragma GCC unroll 8
      for (int j = 0; j < kPanelVectors; ++j)
        sums[i][j] = hn::ReorderWidenMulAccumulate(d, a, weights[j], sums[i][j], unused);
    }
  }
  finish_tile(e, t.at, sums, out, out_stride);
}

// Rows of `terms` bytes, flipped or not, as numbers wide_stride() apart.
HWY_INLINE void widen_rows(const uint8_t* const* rows, int64_t count, int64_t terms, uint8_t flip, int16_t* to) {
  const WideTag wide;
  const hn::Rebind<uint8_t, WideTag> bytes;
  const auto sign = hn::Set(bytes, flip);
  const auto lanes = static_cast<int64_t>(hn::Lanes(wide));
  for (int64_t i = 0; i < count; ++i, to += wide_stride(terms)) {
    int64_t k = 0;
    for (; k + lanes <= terms; k += lanes)
      hn::StoreU(hn::PromoteTo(wide, hn::Xor(hn::LoadU(bytes, rows[i] + k), sign)), wide, to + k);
    for (; k < terms; ++k) to[k] = static_cast<int16_t>(rows[i][k] ^ flip);
  }
}

// A panel of packed weights, whose words of four terms are `step` bytes apart, as pairs of terms.
HWY_INLINE void widen_panel(const int8_t* packed, int64_t step, int64_t terms, int16_t* to) {
  const SumTag d;
  const WideTag wide;
  const hn::Rebind<int8_t, WideTag> bytes;
  const auto half = [&](const int8_t* from)
                        HWY_ATTR { return hn::BitCast(d, hn::PromoteTo(wide, hn::LoadU(bytes, from))); };
  for (int64_t k = 0; k < terms; k += 4, packed += step, to += 4 * kInt8Panel)
#pragma GCC unroll 8
    for (int j = 0; j < kPanelVectors; ++j) {
      const int8_t* from = packed + j * 4 * kSumLanes;
      const Sums low = half(from), high = half(from + 2 * kSumLanes);
      int16_t* pairs = to + j * kPair * kSumLanes;
      hn::Store(hn::BitCast(wide, hn::ConcatEven(d, high, low)), wide, pairs);
      hn::Store(hn::BitCast(wide, hn::ConcatOdd(d, high, low)), wide, pairs + kPair * kInt8Panel);
    }
}

// One line; the last vector may overlap the one before it.
template <class D>
HWY_INLINE int64_t flip_vectors(D d, const uint8_t* from, uint8_t* to, int64_t begin, int64_t count, uint8_t flip) {
  const auto sign = hn::Set(d, flip);
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = begin;
  for (; i + lanes <= count; i += lanes) hn::StoreU(hn::Xor(hn::LoadU(d, from + i), sign), d, to + i);
  return i;
}

// Rows whose bytes are all below 128, or all not, as what they are above `low`, 0 or 128: two products of such numbers of seven bits and of
// signed bytes fit int16 together, and mostly four do.
#if HWY_TARGET == HWY_AVX2
inline constexpr int kHalfRows = 4;
inline constexpr int64_t kHalfStep = 8;  // terms of two words, whose products are added in int16 where they fit
inline constexpr int16_t kMostWeights = 32767 / 127;  // sum of weights, without signs, whose products fit int16

struct HalfTile {
  const uint8_t* const* rows;
  int64_t terms;         // of a row, a multiple of four
  const int8_t* panel;   // words of four terms by kInt8Panel columns
  const int32_t* apart;  // steps whose products do not fit int16 together, upwards; then the number of steps
  TilePlace at;          // columns count from the first column of the product
  const int32_t* start;  // of the panel's columns
};

// sums + each pair of int16.
HWY_INLINE Sums add_pairs(Sums sums, hn::Vec<WideTag> pairs) {
  Sums unused = hn::Zero(SumTag());
  return hn::ReorderWidenMulAccumulate(SumTag(), pairs, hn::Set(WideTag(), int16_t{1}), sums, unused);
}

// Products of unsigned bytes of `a` and signed ones of `b`, added in pairs, which saturates.
HWY_INLINE hn::Vec<WideTag> multiply_pairs(Sums a, Sums b) {
  return hn::Vec<WideTag>{_mm256_maddubs_epi16(a.raw, b.raw)};
}

template <int kRows>
HWY_NOINLINE void run_half_tile(const HalfTile& t, const SumEpilogue& e, void* out, int64_t out_stride) {
  const SumTag d;
  const hn::Repartition<int8_t, SumTag> bytes;
  Sums sums[kRows][kPanelVectors];
  const uint8_t* rows[kRows];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) rows[i] = t.rows[std::min<int64_t>(i, t.at.rows - 1)];
#pragma GCC unroll 8
  for (int j = 0; j < kPanelVectors; ++j) {
    const Sums start = hn::Load(d, t.start + j * kSumLanes);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) sums[i][j] = start;
  }
  const auto weights = [&](int64_t k, int j) HWY_ATTR {
    return hn::BitCast(d, hn::Load(bytes, t.panel + k * kInt8Panel + j * 4 * kSumLanes));
  };
  const auto word = [&](int row, int64_t k) HWY_ATTR {
    int32_t four;
    std::memcpy(&four, rows[row] + k, sizeof four);
    return hn::Set(d, four);
  };
  // Terms [k, k + 4).
  const auto add_word = [&](int64_t k) HWY_ATTR {
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const Sums a = word(i, k);
#pragma GCC unroll 8
      for (int j = 0; j < kPanelVectors; ++j) sums[i][j] = add_pairs(sums[i][j], multiply_pairs(a, weights(k, j)));
    }
  };
  int64_t k = 0;
  for (const int32_t* apart = t.apart;; ++apart) {
    for (const int64_t end = *apart * kHalfStep; k < end; k += kHalfStep) {
      Sums first[kPanelVectors], second[kPanelVectors];
#pragma GCC unroll 8
      for (int j = 0; j < kPanelVectors; ++j) first[j] = weights(k, j), second[j] = weights(k + 4, j);
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i) {
        const Sums a = word(i, k), b = word(i, k + 4);
#pragma GCC unroll 8
        for (int j = 0; j < kPanelVectors; ++j)
          sums[i][j] = add_pairs(sums[i][j], hn::Add(multiply_pairs(a, first[j]), multiply_pairs(b, second[j])));
      }
    }
    if (k + kHalfStep > t.terms) break;
    add_word(k);
    add_word(k + 4);
    k += kHalfStep;
  }
  if (k < t.terms) add_word(k);
  finish_tile(e, t.at, sums, out, out_stride);
}

// What rows of `terms` bytes have in common.
struct CommonBits {
  uint8_t all, any;  // set in all bytes; in any
};
HWY_INLINE CommonBits common_bits(const uint8_t* const* rows, int64_t count, int64_t terms) {
  const ByteTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  CommonBits bits{0xFF, 0};
  auto all = hn::Set(d, uint8_t{0xFF}), any = hn::Zero(d);
  for (int64_t i = 0; i < count; ++i) {
    int64_t k = 0;
    for (; k + lanes <= terms; k += lanes) {
      const auto v = hn::LoadU(d, rows[i] + k);
      all = hn::And(all, v);
      any = hn::Or(any, v);
    }
    for (; k < terms; ++k) bits.all &= rows[i][k], bits.any |= rows[i][k];
    HWY_ALIGN uint8_t of_all[kBlockBytes], of_any[kBlockBytes];
    hn::Store(all, d, of_all);
    hn::Store(any, d, of_any);
    for (int j = 0; j < kBlockBytes; ++j) bits.all &= of_all[j], bits.any |= of_any[j];
    if ((bits.any & ~bits.all & 0x80) != 0) break;
  }
  return bits;
}

// A panel of packed weights, whose words of four terms are `step` bytes apart, without gaps; `apart` as HalfTile has it; `start` of its columns
// grows by `low` times the sum of each.
HWY_INLINE void close_panel(const int8_t* packed, int64_t step, int64_t terms, int32_t low, int8_t* to, int32_t* apart,
                            int32_t* start) {
  const SumTag d;
  const hn::Repartition<int8_t, SumTag> bytes;
  const Sums ones = hn::BitCast(d, hn::Set(bytes, int8_t{1}));
  const auto most = hn::Set(WideTag(), kMostWeights);
  Sums totals[kPanelVectors];
  hn::Vec<WideTag> before[kPanelVectors];
#pragma GCC unroll 8
  for (int j = 0; j < kPanelVectors; ++j) totals[j] = hn::Zero(d), before[j] = hn::Zero(WideTag());
  for (int64_t k = 0; k < terms; k += 4, packed += step, to += 4 * kInt8Panel) {
    auto larger = hn::Zero(WideTag());
#pragma GCC unroll 8
    for (int j = 0; j < kPanelVectors; ++j) {
      const auto w = hn::LoadU(bytes, packed + j * 4 * kSumLanes);
      hn::Store(w, bytes, to + j * 4 * kSumLanes);
      totals[j] = add_pairs(totals[j], multiply_pairs(ones, hn::BitCast(d, w)));
      const auto size = multiply_pairs(hn::BitCast(d, hn::Abs(w)), ones);
      if (k % kHalfStep != 0) larger = hn::Max(larger, hn::Add(size, before[j]));
      before[j] = size;
    }
    if (!hn::AllFalse(WideTag(), hn::Gt(larger, most))) *apart++ = static_cast<int32_t>(k / kHalfStep);
  }
  *apart = static_cast<int32_t>(terms / kHalfStep);
#pragma GCC unroll 8
  for (int j = 0; j < kPanelVectors; ++j) {
    int32_t* const of = start + j * kSumLanes;
    hn::Store(hn::Add(hn::Load(d, of), hn::Mul(totals[j], hn::Set(d, low))), d, of);
  }
}

// Rows of `terms` bytes, each greater or less by 128; their addresses change.
HWY_INLINE void flip_rows(const uint8_t** rows, int64_t count, int64_t terms, uint8_t* to) {
  for (int64_t i = 0; i < count; ++i, to += terms + kLine) {
    for (int64_t k = flip_vectors(ByteTag(), rows[i], to, 0, terms, 0x80); k < terms; ++k) to[k] = rows[i][k] ^ 0x80;
    rows[i] = to;
  }
}

// Rows that were located, of a block of run_wide_block(), where all their bytes lie in one half of what bytes are; false: they do not.
// `panel` holds 32 bytes a term, `space` the rows.
bool run_half_block(const Int8Product& p, const SumEpilogue& e, int64_t row, int64_t rows, int64_t begin, int64_t end,
                    const uint8_t** addresses, int8_t* panel, uint8_t* space) {
  const int64_t terms = int8_terms(p.terms);
  const CommonBits bits = common_bits(addresses, rows, p.terms);
  const bool above = (bits.all & 0x80) != 0;
  if (terms == 0 || (!above && (bits.any & 0x80) != 0)) return false;
  if (above) flip_rows(addresses, rows, terms, space);
  const int32_t low = above == (p.kind == Int8Product::kFlipped) ? 0 : 128;
  auto* const apart = reinterpret_cast<int32_t*>(panel + terms * kInt8Panel);
  for (int64_t column = begin; column < end; column += kInt8Panel) {
    const int64_t place = p.first_column + column, group = column / kInt8Group * kInt8Group;
    const int64_t width = std::min<int64_t>(kInt8Group, int8_columns(p.columns) - group);
    alignas(kLine) int32_t start[kInt8Panel] = {};
    if (e.start) std::copy_n(e.start + place, kInt8Panel, start);
    close_panel(p.packed + group * terms + (column - group) * 4, width * 4, terms, low, panel, apart, start);
    for (int64_t i = 0; i < rows; i += kHalfRows) {
      const TilePlace at{p.first_row + row + i, std::min<int64_t>(kHalfRows, rows - i), place,
                         std::min(kInt8Panel, end - column)};
      const auto run = at.rows == 1               ? run_half_tile<1>
                       : at.rows <= kHalfRows / 2 ? run_half_tile<kHalfRows / 2>
                                                  : run_half_tile<kHalfRows>;
      run({addresses + i, terms, panel, apart, at, start}, e, p.out, p.out_stride);
    }
  }
  return true;
}
#endif

HWY_INLINE int8_t* aligned_space(uint8_t* from) {
  return reinterpret_cast<int8_t*>((reinterpret_cast<uintptr_t>(from) + kLine - 1) / kLine * kLine);
}

// As run_block() below; `scratch` holds block_scratch() bytes.
void run_wide_block(const Int8Product& p, const SumEpilogue& e, int64_t first, int64_t last, int64_t begin, int64_t end,
                    int64_t block, uint8_t* scratch) {
  const uint8_t* addresses[kMostBlockRows];
  const int64_t terms = int8_terms(p.terms);
  auto* panel = reinterpret_cast<int16_t*>(aligned_space(scratch + block * terms));
  int16_t* wide = panel + terms * kInt8Panel;
  const uint8_t flip = p.kind == Int8Product::kFlipped ? 0x80 : 0;
  for (int64_t row = first; row < last; row += block) {
    const int64_t rows = std::min(block, last - row);
    p.left->locate(row, rows, addresses, scratch);
#if HWY_TARGET == HWY_AVX2
    if (run_half_block(p, e, row, rows, begin, end, addresses, reinterpret_cast<int8_t*>(panel),
                       reinterpret_cast<uint8_t*>(wide)))
      continue;
#endif
    widen_rows(addresses, rows, terms, flip, wide);
    for (int64_t column = begin; column < end; column += kInt8Panel) {
      const int64_t place = p.first_column + column, group = column / kInt8Group * kInt8Group;
      const int64_t width = std::min<int64_t>(kInt8Group, int8_columns(p.columns) - group);
      widen_panel(p.packed + group * terms + (column - group) * 4, width * 4, terms, panel);
      for (int64_t i = 0; i < rows; i += kWideRows) {
        const TilePlace at{p.first_row + row + i, std::min<int64_t>(kWideRows, rows - i), place,
                           std::min(kInt8Panel, end - column)};
        const auto run = at.rows == 1               ? run_wide_tile<1>
                         : at.rows <= kWideRows / 2 ? run_wide_tile<kWideRows / 2>
                                                    : run_wide_tile<kWideRows>;
        run({wide + i * wide_stride(terms), terms, panel, at, e.start ? e.start + place : nullptr}, e, p.out,
            p.out_stride);
      }
    }
  }
}

// A panel of packed weights, whose words are `step` bytes apart, without gaps.
HWY_INLINE void copy_panel(const int8_t* packed, int64_t step, int64_t terms, int8_t* to) {
  for (int64_t k = 0; k < terms; k += 4, packed += step, to += 4 * kInt8Panel) std::memcpy(to, packed, 4 * kInt8Panel);
}

// Rows of `terms` bytes that hold uint16, each number less by 2^15; those that lie elsewhere come to lie at `to`.
void flip_words(const uint8_t** rows, int64_t count, int64_t terms, uint8_t* to) {
  const ByteTag d;
  const auto sign = hn::BitCast(d, hn::Set(SumTag(), static_cast<int32_t>(0x80008000u)));
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < count; ++i, to += terms) {
    int64_t k = 0;
    for (; k + lanes <= terms; k += lanes) hn::StoreU(hn::Xor(hn::LoadU(d, rows[i] + k), sign), d, to + k);
    for (; k < terms; k += 2) to[k] = rows[i][k], to[k + 1] = rows[i][k + 1] ^ 0x80;
    rows[i] = to;
  }
}

template <bool kFour>
void run_block_by(const Int8Product& p, const SumEpilogue& e, int64_t first, int64_t last, int64_t begin, int64_t end,
                  int64_t block, uint8_t* scratch) {
  const bool words = p.has_words(), bytes = p.kind != Int8Product::kBfloat16 && !words;
  if constexpr (kWidens<kFour>)
    if (bytes && last - first > kWideRows) return run_wide_block(p, e, first, last, begin, end, block, scratch);
  const int64_t most = (last - first == 1 ? kRowPanels : kTilePanels) * kInt8Panel;  // columns of a tile
  const uint8_t* addresses[kMostBlockRows];
  const int64_t terms = int8_terms(p.terms), whole = 0, tile = tile_rows<kFour>(p);
  const std::span<const int64_t> pieces = p.pieces.empty() ? std::span(&whole, 1) : p.pieces;
  const int64_t own = terms / static_cast<int64_t>(pieces.size());
  const bool closes = kClosesPanels && !words && p.pieces.empty() && last - first > 2 * tile;
  int8_t* const closed = closes ? aligned_space(scratch + block * terms) : nullptr;
  for (int64_t row = first; row < last; row += block) {
    const int64_t rows = std::min(block, last - row);
    p.left->locate(row, rows, addresses, scratch);
    if (p.kind == Int8Product::kFlippedWords) flip_words(addresses, rows, terms, scratch);
    for (int64_t column = begin; column < end; column += most) {
      const int64_t place = p.first_column + column, group = column / kInt8Group * kInt8Group;
      const int64_t columns = std::min(most, end - column);
      const int64_t panels = std::min<int64_t>(kInt8Group, int8_columns(p.columns) - group) / kInt8Panel;
      const int8_t* packed = p.packed + (words ? column * terms : group * terms + (column - group) * 4);
      if (closes) copy_panel(packed, panels * 4 * kInt8Panel, terms, closed);
      const int32_t* start = e.start ? e.start + place : nullptr;
      for (int64_t i = 0; i < rows; i += tile) {
        const TilePlace at{p.first_row + row + i, std::min(tile, rows - i), place, columns};
        const auto run = runner_of<kFour>(p.kind, at.rows, columns);
        run({addresses + i, pieces, own, closes ? closed : packed, closes || words ? 1 : panels, terms * kInt8Panel, at,
             start},
            e, p.out, p.out_stride);
      }
    }
  }
}

// Rows [first, last) and columns [begin, end) of the product; `block` rows are located at once.
void run_block(const Int8Product& p, const SumEpilogue& e, int64_t first, int64_t last, int64_t begin, int64_t end,
               int64_t block, uint8_t* scratch) {
  by_instruction([&](auto four) { run_block_by<four()>(p, e, first, last, begin, end, block, scratch); });
}

Int8Blocks int8_blocks() {
  return by_instruction([](auto four) -> Int8Blocks {
    if constexpr (kWidens<four()>) return {kWideRows, 64 * 1024, 16 * kWideRows, true, true};
    constexpr int64_t kTile = kTileRows<four()>;
    return {kTile, 160 * 1024, kClosesPanels ? 16 * kTile : kTile, false, kClosesPanels};
  });
}

// Rows [first, last) of sums that lie without gaps.
void finish_rows(const int32_t* sums, int64_t columns, const SumEpilogue& e, int64_t first, int64_t last, void* out,
                 int64_t out_stride) {
  constexpr int kVectors = kTilePanels * kPanelVectors;
  constexpr int64_t kColumns = kTilePanels * kInt8Panel;
  const SumTag d;
  for (int64_t row = first; row < last; ++row)
    for (int64_t column = 0; column < columns; column += kColumns) {
      const TilePlace at{row, 1, column, std::min(kColumns, columns - column)};
      Sums own[1][kVectors];
      for (int j = 0; j < kVectors; ++j) {
        const int64_t left = at.columns - j * kSumLanes;
        own[0][j] = left > 0 ? load_some(d, sums + row * columns + column + j * kSumLanes, left) : hn::Zero(d);
        if (e.start) own[0][j] = hn::Add(own[0][j], hn::LoadU(d, e.start + at.column_of(j)));
      }
      finish_tile(e, at, own, out, out_stride);
    }
}

// kBlockBytes columns at most: four rows at a time, `step` bytes of packed ones apart.
template <bool kFour>
void pack_columns(const uint8_t* rows, int64_t stride, bool is_signed, int64_t terms, int64_t columns, int8_t* packed,
                  int64_t step, int32_t* sums) {
  const SumTag d;
  const BlockLoader load = block_loader(columns, !is_signed);
  const Sums ones = hn::BitCast(d, hn::Set(ByteTag(), uint8_t{1}));
  Sums totals[kBlockVectors] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  const auto row = [&](int64_t t) { return t < terms ? load(rows + t * stride) : hn::Zero(ByteTag()); };
  for (int64_t t = 0; t < terms; t += 4, packed += step) {
    Sums words[kBlockVectors];
    interleave(row(t), row(t + 1), row(t + 2), row(t + 3), words);
#pragma GCC unroll 8
    for (int j = 0; j < kBlockVectors; ++j) {
      if (j * kSumLanes >= columns) break;
      totals[j] = add_products<kFour>(totals[j], ones, words[j]);
      hn::StoreU(hn::BitCast(hn::Repartition<int8_t, SumTag>(), words[j]), hn::Repartition<int8_t, SumTag>(),
                 packed + j * 4 * kSumLanes);
    }
  }
#pragma GCC unroll 8
  for (int j = 0; j < kBlockVectors; ++j)
    if (j * kSumLanes < columns) hn::StoreU(totals[j], d, sums + j * kSumLanes);
}

void pack_matrix(const uint8_t* rows, int64_t stride, bool is_signed, int64_t terms, int64_t columns, int8_t* packed,
                 int32_t* sums) {
  for (int64_t group = 0; group < columns; group += kInt8Group) {
    const int64_t width = std::min(kInt8Group, int8_columns(columns) - group);
    for (int64_t j = group; j < std::min(group + width, columns); j += kBlockBytes)
      by_instruction([&](auto four) {
        pack_columns<four()>(rows + j, stride, is_signed, terms, std::min<int64_t>(kBlockBytes, columns - j),
                             packed + (j - group) * 4, width * 4, sums + j);
      });
    packed += int8_terms(terms) * width;
  }
}

template <bool kNative> void round_lines(const float* from, uint16_t* to, int64_t count) {
  for (int64_t i = 0; i < count; i += kSumLanes)
    store_bfloats<kNative>(load_some(RealTag(), from + i, count - i), to + i, count - i);
}

void round_floats(const float* from, uint16_t* to, int64_t count) {
#if HWY_TARGET == HWY_AVX3_DL
  if (multiplies_bfloat16()) return round_lines<true>(from, to, count);
#endif
  round_lines<false>(from, to, count);
}

// The first and the last bytes of a line of one to two words.
template <class Word> HWY_INLINE void flip_ends(const uint8_t* from, uint8_t* to, int64_t count, uint8_t flip) {
  const auto sign = static_cast<Word>(static_cast<Word>(~Word{0}) / 255 * flip);
  Word first, last;
  std::memcpy(&first, from, sizeof first);
  std::memcpy(&last, from + count - static_cast<int64_t>(sizeof last), sizeof last);
  first ^= sign;
  last ^= sign;
  std::memcpy(to, &first, sizeof first);
  std::memcpy(to + count - static_cast<int64_t>(sizeof last), &last, sizeof last);
}

void flip_lines(const uint8_t* from, int64_t from_stride, uint8_t* to, int64_t to_stride, int64_t lines, int64_t count,
                uint8_t flip) {
  const hn::CappedTag<uint8_t, 64> wide;
  const hn::CappedTag<uint8_t, 16> narrow;
  for (; lines > 0; --lines, from += from_stride, to += to_stride) {
    int64_t i = flip_vectors(wide, from, to, 0, count, flip);
    i = flip_vectors(narrow, from, to, i, count, flip);
    if (i < count && count >= 16) flip_vectors(narrow, from, to, count - 16, count, flip);
    else if (count >= 8 && count < 16) flip_ends<uint64_t>(from, to, count, flip);
    else if (count >= 4 && count < 8) flip_ends<uint32_t>(from, to, count, flip);
    else
      for (; i < count; ++i) to[i] = from[i] ^ flip;
  }
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(run_block);
HWY_EXPORT(int8_blocks);
HWY_EXPORT(finish_rows);
HWY_EXPORT(flip_lines);
HWY_EXPORT(pack_matrix);
HWY_EXPORT(round_floats);

namespace {

constexpr double kProductsPerNanosecond = 100;

// Rows that are located at once: a multiple of a tile's.
int64_t block_rows(const Int8Blocks& by, int64_t rows, int64_t terms) {
  const int64_t most =
      std::clamp<int64_t>(by.bytes / std::max<int64_t>(int8_terms(terms), 1), by.least_rows, kMostBlockRows);
  return std::min(most / by.tile_rows * by.tile_rows, (rows + by.tile_rows - 1) / by.tile_rows * by.tile_rows);
}

// What a thread locates and widens in, for a block of so many rows.
int64_t block_scratch(const Int8Blocks& by, int64_t block, int64_t terms) {
  const int64_t padded = int8_terms(terms), panel = padded * kInt8Panel + kLine;
  const int64_t wide = 2 * (block * wide_stride(padded) + padded * kInt8Panel) + kLine;
  return block * padded + (by.widens ? wide : by.closes ? panel : 0);
}

}  // namespace

int64_t int8_scratch_bytes(int64_t rows, int64_t terms, bool in_tiles, int threads) {
  if (in_tiles) return tiles_scratch_bytes(rows, terms, threads);
  const Int8Blocks by = HWY_DYNAMIC_DISPATCH(int8_blocks)();
  return block_scratch(by, block_rows(by, rows, terms), terms) * threads;
}

void product_int8(const Int8Product& p, const SumEpilogue& e, int threads, uint8_t* scratch) noexcept {
  if (p.rows == 0 || p.columns == 0) return;
  if (p.in_tiles) return product_tiles(p, e, threads, scratch);
  const double work = static_cast<double>(p.rows) * static_cast<double>(p.columns) * static_cast<double>(p.terms);
  threads = useful_threads(threads, work / kProductsPerNanosecond);
  const Int8Blocks by = HWY_DYNAMIC_DISPATCH(int8_blocks)();
  const int64_t tile = by.tile_rows, block = block_rows(by, p.rows, p.pieces.empty() ? p.terms : 0);
  const int64_t tiles = (p.rows + tile - 1) / tile, pieces = (p.columns + kInt8Group - 1) / kInt8Group;
  const bool by_rows = imbalance(tiles, threads) <= imbalance(pieces, threads);
  const int64_t own = p.pieces.empty() ? block_scratch(by, block, p.terms) : 0;
  parallel_ranges(threads, by_rows ? tiles : pieces, [&](int64_t begin, int64_t end, int part) {
    uint8_t* space = scratch + part * own;
    const auto run = HWY_DYNAMIC_DISPATCH(run_block);
    if (by_rows) run(p, e, begin * tile, std::min(end * tile, p.rows), 0, p.columns, block, space);
    else run(p, e, 0, p.rows, begin * kInt8Group, std::min(end * kInt8Group, p.columns), block, space);
  });
}

void finish_sums(const int32_t* sums, int64_t rows, int64_t columns, const SumEpilogue& e, void* out,
                 int64_t out_stride, int threads) noexcept {
  constexpr double kSumsPerNanosecond = 4;
  threads = useful_threads(threads, static_cast<double>(rows) * static_cast<double>(columns) / kSumsPerNanosecond);
  parallel_ranges(threads, rows, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(finish_rows)(sums, columns, e, begin, end, out, out_stride);
  });
}

bool multiplies_bfloat16() noexcept {
#if HWY_ARCH_X86
  static const bool known = __builtin_cpu_supports("avx512bf16");
  return known;
#else
  return false;
#endif
}

void round_to_bfloat16(const float* from, uint16_t* to, int64_t count) noexcept {
  HWY_DYNAMIC_DISPATCH(round_floats)(from, to, count);
}

void pack_int8_rows(const uint8_t* rows, int64_t stride, bool is_signed, int64_t terms, int64_t columns, int8_t* packed,
                    int32_t* sums) noexcept {
  HWY_DYNAMIC_DISPATCH(pack_matrix)(rows, stride, is_signed, terms, columns, packed, sums);
}

void copy_byte_lines(const uint8_t* from, int64_t from_stride, uint8_t* to, int64_t to_stride, int64_t lines,
                     int64_t count, bool is_signed) noexcept {
  HWY_DYNAMIC_DISPATCH(flip_lines)(from, from_stride, to, to_stride, lines, count, is_signed ? 0x80 : 0);
}

}  // namespace kiln::cpu
#endif
