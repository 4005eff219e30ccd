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

// The tile that fits the registers, in rows and panels.
inline constexpr int kPanelVectors = static_cast<int>(kInt8Panel) / kSumLanes;
inline constexpr int kTileRows = kSumLanes == 16 ? 6 : kSumLanes == 8 ? 4 : 2;
inline constexpr int kTilePanels = kSumLanes == 16 ? 4 : 1;

struct Tile {
  const uint8_t* const* rows;
  int64_t terms;         // a multiple of four
  const int8_t* panels;  // the first of them
  int64_t group;         // panels that lie interleaved
  TilePlace at;          // columns count from the first column of the product
  const int32_t* start;  // of the first panel's columns
};

// kFlip: the rows hold signed bytes, which become unsigned by adding 128.
template <bool kFlip, int kRows, int kPanels>
HWY_NOINLINE void run_tile(const Tile& t, const SumEpilogue& e, void* out, int64_t out_stride) {
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
  const Sums flip = hn::BitCast(d, hn::Set(hn::Repartition<uint8_t, SumTag>(), uint8_t{0x80}));
  for (int64_t k = 0; k < t.terms; k += 4, b += step) {
    Sums weights[kVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j)
      weights[j] = hn::BitCast(d, hn::LoadU(hn::Repartition<int8_t, SumTag>(), b + j * 4 * kSumLanes));
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      int32_t four;
      std::memcpy(&four, rows[i] + k, sizeof four);
      Sums a = hn::Set(d, four);
      if (kFlip) a = hn::Xor(a, flip);
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) sums[i][j] = add_products(sums[i][j], a, weights[j]);
    }
  }
  finish_tile(e, t.at, sums, out, out_stride);
}

using TileRunner = void (*)(const Tile&, const SumEpilogue&, void*, int64_t);

template <bool kFlip, int kRows> TileRunner runner_of(int64_t panels) {
  if constexpr (kTilePanels > 1) {
    if (panels == 4) return run_tile<kFlip, kRows, 4>;
    if (panels == 3) return run_tile<kFlip, kRows, 3>;
    if (panels == 2) return run_tile<kFlip, kRows, 2>;
  }
  return run_tile<kFlip, kRows, 1>;
}

// For tiles of at most tile_rows() rows, and columns of at most kTilePanels panels.
TileRunner runner_of(bool flip, int64_t rows, int64_t columns) {
  const int64_t panels = (columns + kInt8Panel - 1) / kInt8Panel;
  if (rows == 1) return flip ? runner_of<true, 1>(panels) : runner_of<false, 1>(panels);
  return flip ? runner_of<true, kTileRows>(panels) : runner_of<false, kTileRows>(panels);
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
    for (int64_t column = begin; column < end; column += kColumns) {
      const int64_t place = p.first_column + column, group = column / kInt8Group * kInt8Group;
      const int64_t columns = std::min(kColumns, end - column);
      const int64_t panels = std::min<int64_t>(kInt8Group, int8_columns(p.columns) - group) / kInt8Panel;
      const int8_t* packed = p.packed + group * terms + (column - group) * 4;
      const int32_t* start = e.start ? e.start + place : nullptr;
      for (int64_t i = 0; i < rows; i += kTileRows) {
        const TilePlace at{row + i, std::min<int64_t>(kTileRows, rows - i), place, columns};
        runner_of(p.flip, at.rows, columns)({addresses + i, terms, packed, panels, at, start}, e, p.out, p.out_stride);
      }
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
