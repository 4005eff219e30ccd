// Matrix products of bytes: four products of bytes are added by one instruction where the machine has it, else pairs of int16.
#include "backends/cpu/device/compute/product_int8.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/device/compute/hwy_byte_targets.h"
#include "backends/cpu/device/compute/parallel.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/product_int8.cpp"
#include "hwy/foreach_target.h"

#include "backends/cpu/device/compute/sum_steps-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

using BytesTag = hn::Repartition<int8_t, SumTag>;
using PairsTag = hn::Repartition<int16_t, SumTag>;

// The tile that fits the registers, in rows and panels.
inline constexpr int kPanelVectors = static_cast<int>(kInt8Panel) / kSumLanes;
inline constexpr int kTileRows = kSumLanes == 16 ? 6 : kSumLanes == 8 ? 4 : 2;
inline constexpr int kTilePanels = kSumLanes == 16 ? 4 : 1;

// sums + the products of four unsigned bytes of `a` and four signed ones of `b` in each lane.
HWY_INLINE Sums add_products(Sums sums, Sums a, Sums b) {
#if HWY_TARGET == HWY_AVX3_DL
  asm("vpdpbusd %2, %1, %0" : "+v"(sums.raw) : "v"(a.raw), "v"(b.raw));  // Highway compiles this target without VNNI
  return sums;
#else
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

struct Tile {
  const uint8_t* const* rows;
  int64_t terms;         // a multiple of four
  const int8_t* panels;  // the first of them
  int64_t group;         // panels that lie interleaved
  TilePlace at;          // columns count from the first column of the product
  const int32_t* start;  // of the first panel's columns
};

template <int kRows, int kPanels>
HWY_INLINE void run_tile(const Tile& t, const SumEpilogue& e, void* out, int64_t out_stride) {
  constexpr int kVectors = kPanels * kPanelVectors;
  const SumTag d;
  Sums sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) {
    const Sums start = t.start ? hn::LoadU(d, t.start + j * kSumLanes) : hn::Zero(d);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) sums[i][j] = start;
  }
  const int64_t step = t.group * 4 * kInt8Panel;
  const uint8_t* rows[kRows];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) rows[i] = t.rows[std::min<int64_t>(i, t.at.rows - 1)];
  const int8_t* b = t.panels;
  for (int64_t k = 0; k < t.terms; k += 4, b += step) {
    Sums weights[kVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) weights[j] = hn::BitCast(d, hn::LoadU(BytesTag(), b + j * 4 * kSumLanes));
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      int32_t four;
      std::memcpy(&four, rows[i] + k, sizeof four);
      const Sums a = hn::Set(d, four);
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) sums[i][j] = add_products(sums[i][j], a, weights[j]);
    }
  }
  HWY_ALIGN int32_t stored[kRows * kVectors * kSumLanes];
  store_sums(sums, stored);
  finish_tile<kVectors>(e, t.at, stored, out, out_stride);
}

template <int kPanels> void run_rows(const Tile& t, const SumEpilogue& e, void* out, int64_t out_stride) {
  if (t.at.rows == 1) run_tile<1, kPanels>(t, e, out, out_stride);
  else run_tile<kTileRows, kPanels>(t, e, out, out_stride);
}

// A tile of at most tile_rows() rows and tile_panels() panels.
void run_any_tile(const Tile& t, const SumEpilogue& e, void* out, int64_t out_stride) {
  const int64_t panels = (t.at.columns + kInt8Panel - 1) / kInt8Panel;
  if constexpr (kTilePanels > 1) {
    if (panels == 4) return run_rows<4>(t, e, out, out_stride);
    if (panels == 3) return run_rows<3>(t, e, out, out_stride);
    if (panels == 2) return run_rows<2>(t, e, out, out_stride);
  }
  run_rows<1>(t, e, out, out_stride);
}

// Rows [first, last) and columns [begin, end) of the product; `block` rows are located at once.
void run_block(const Int8Product& p, const SumEpilogue& e, int64_t first, int64_t last, int64_t begin, int64_t end,
               int64_t block, uint8_t* scratch) {
  constexpr int64_t kColumns = kTilePanels * kInt8Panel;
  const uint8_t* addresses[kMostBlockRows];
  const int64_t terms = int8_terms(p.terms);
  for (int64_t row = first; row < last; row += block) {
    const int64_t rows = std::min(block, last - row);
    p.left->locate(row, rows, addresses, scratch);
    for (int64_t column = begin; column < end; column += kColumns)
      for (int64_t i = 0; i < rows; i += kTileRows) {
        const int64_t place = p.first_column + column, group = column / kInt8Group * kInt8Group;
        const int64_t panels = std::min<int64_t>(kInt8Group, int8_columns(p.columns) - group) / kInt8Panel;
        run_any_tile({addresses + i,
                      terms,
                      p.packed + group * terms + (column - group) * 4,
                      panels,
                      {row + i, std::min<int64_t>(kTileRows, rows - i), place, std::min(kColumns, end - column)},
                      e.start ? e.start + place : nullptr},
                     e, p.out, p.out_stride);
      }
  }
}

int tile_rows() { return kTileRows; }

// One line; the last vector may overlap the one before it.
template <class D>
HWY_INLINE int64_t flip_vectors(D d, const uint8_t* from, uint8_t* to, int64_t begin, int64_t count, uint8_t flip) {
  const auto sign = hn::Set(d, flip);
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = begin;
  for (; i + lanes <= count; i += lanes) hn::StoreU(hn::Xor(hn::LoadU(d, from + i), sign), d, to + i);
  return i;
}

void flip_lines(const uint8_t* from, int64_t from_stride, uint8_t* to, int64_t to_stride, int64_t lines, int64_t count,
                uint8_t flip) {
  const hn::CappedTag<uint8_t, 64> wide;
  const hn::CappedTag<uint8_t, 16> narrow;
  for (; lines > 0; --lines, from += from_stride, to += to_stride) {
    int64_t i = flip_vectors(wide, from, to, 0, count, flip);
    i = flip_vectors(narrow, from, to, i, count, flip);
    if (i < count && count >= 16) flip_vectors(narrow, from, to, count - 16, count, flip);
    else
      for (; i < count; ++i) to[i] = from[i] ^ flip;
  }
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(run_block);
HWY_EXPORT(tile_rows);
HWY_EXPORT(flip_lines);

namespace {

constexpr int64_t kBlockBytes = 48 * 1024;  // of located rows
constexpr double kProductsPerNanosecond = 100;

// Rows that are located at once: a multiple of a tile's.
int64_t block_rows(int64_t rows, int64_t terms) {
  const int64_t tile = HWY_DYNAMIC_DISPATCH(tile_rows)();
  const int64_t most = std::clamp<int64_t>(kBlockBytes / std::max<int64_t>(int8_terms(terms), 1), tile, kMostBlockRows);
  return std::min(most / tile * tile, (rows + tile - 1) / tile * tile);
}

// How much longer than its share the busiest of `threads` threads works when pieces are not split.
double imbalance(int64_t pieces, int threads) {
  const int64_t most = (pieces + threads - 1) / threads;
  return static_cast<double>(most * threads) / static_cast<double>(pieces);
}

}  // namespace

int64_t int8_scratch_bytes(int64_t rows, int64_t terms, int threads) {
  return block_rows(rows, terms) * int8_terms(terms) * threads;
}

void product_int8(const Int8Product& p, const SumEpilogue& e, int threads, uint8_t* scratch) noexcept {
  if (p.rows == 0 || p.columns == 0) return;
  const double work = static_cast<double>(p.rows) * static_cast<double>(p.columns) * static_cast<double>(p.terms);
  threads = useful_threads(threads, work / kProductsPerNanosecond);
  const int64_t tile = HWY_DYNAMIC_DISPATCH(tile_rows)(), block = block_rows(p.rows, p.terms);
  const int64_t tiles = (p.rows + tile - 1) / tile, pieces = (p.columns + kInt8Group - 1) / kInt8Group;
  const bool by_rows = imbalance(tiles, threads) <= imbalance(pieces, threads);
  const int64_t own = block * int8_terms(p.terms);
  parallel_ranges(threads, by_rows ? tiles : pieces, [&](int64_t begin, int64_t end, int part) {
    uint8_t* space = scratch + part * own;
    const auto run = HWY_DYNAMIC_DISPATCH(run_block);
    if (by_rows) run(p, e, begin * tile, std::min(end * tile, p.rows), 0, p.columns, block, space);
    else run(p, e, 0, p.rows, begin * kInt8Group, std::min(end * kInt8Group, p.columns), block, space);
  });
}

void copy_byte_lines(const uint8_t* from, int64_t from_stride, uint8_t* to, int64_t to_stride, int64_t lines,
                     int64_t count, bool is_signed) noexcept {
  HWY_DYNAMIC_DISPATCH(flip_lines)(from, from_stride, to, to_stride, lines, count, is_signed ? 0x80 : 0);
}

}  // namespace kiln::cpu
#endif
