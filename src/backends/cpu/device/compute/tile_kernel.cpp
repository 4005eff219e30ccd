// The inner kernel of matrix products and convolutions, for each instruction set.
#include "backends/cpu/device/compute/tile_kernel.h"

#include "backends/cpu/device/compute/hwy_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/tile_kernel.cpp"
#include "hwy/foreach_target.h"

#include "backends/cpu/device/compute/epilogue-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

inline constexpr int kLanes = static_cast<int>(hn::MaxLanes(F32()));
#if HWY_TARGET <= HWY_AVX3
inline constexpr int kRowLimit[kMaxTileVectors + 1] = {0, 14, 14, 9, 6};  // 32 vector registers
inline constexpr int kRowSets = kMaxTileVectors;                          // vectors of a row of which all sets fit
inline constexpr int kRowVectors = kRowSets;
#else
inline constexpr int kRowLimit[kMaxTileVectors + 1] = {0, 12, 6, 4, 3};  // 16 vector registers
inline constexpr int kRowSets = 2;
inline constexpr int kRowVectors = kMaxRowVectors;
#endif

// Adds the sums of all taps to acc[kSets][kRows][kVectors]; several sets hide the latency of additions in small tiles.
template <int kRows, int kVectors, int kSets>
HWY_INLINE void accumulate(const TileArgs& args, VF (&acc)[kSets][kRows][kVectors]) {
  // Steps of k at once: each serves a row's address, which seldom finds a register for itself.
  constexpr int kSteps = kVectors == 1 ? 4 : kSets;
  const F32 d;
  const auto* HWY_RESTRICT b = static_cast<const float*>(args.b);
  const float* prefetch = args.prefetch;
  const int64_t b_stride = args.b_stride, depth = args.depth;
  for (int64_t t = 0; t < args.taps; ++t) {
    const float* a[kRows];
    for (int i = 0; i < kRows; ++i) a[i] = args.rows[t * args.rows_stride + i];
    int64_t k = 0;
    for (; k + kSteps <= depth; k += kSteps) {
      VF bv[kSteps][kVectors];
#pragma GCC unroll 4
      for (int s = 0; s < kSteps; ++s) {
#pragma GCC unroll 4
        for (int j = 0; j < kVectors; ++j) bv[s][j] = hn::LoadU(d, b + s * b_stride + j * kLanes);
      }
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
        for (int s = 0; s < kSteps; ++s) {
          const VF av = hn::Set(d, a[i][k + s]);
#pragma GCC unroll 4
          for (int j = 0; j < kVectors; ++j) acc[s % kSets][i][j] = hn::MulAdd(av, bv[s][j], acc[s % kSets][i][j]);
        }
      }
      b += kSteps * b_stride;
      __builtin_prefetch(prefetch, 0, 2);
      prefetch += args.prefetch_step;
    }
#pragma GCC unroll 4
    for (int s = 0; s < kSteps - 1; ++s, ++k, b += b_stride) {
      if (k == depth) break;
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) {
        const VF bv = hn::LoadU(d, b + j * kLanes);
#pragma GCC unroll 16
        for (int i = 0; i < kRows; ++i)
          acc[s % kSets][i][j] = hn::MulAdd(hn::Set(d, a[i][k]), bv, acc[s % kSets][i][j]);
      }
    }
  }
}

// Start values of the sum: zero, bias and residual for the first part, else what earlier parts have left in c.
template <int kRows, int kVectors, bool kPartial>
HWY_INLINE void begin_tile(const TileArgs& args, VF (&acc)[kRows][kVectors]) {
  const F32 d;
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) {
    const VF start = args.first && args.start
                         ? (kPartial && j == kVectors - 1 ? load_part(d, args.start + j * kLanes, args.last_lanes)
                                                          : hn::LoadU(d, args.start + j * kLanes))
                         : hn::Zero(d);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) acc[i][j] = start;
  }
  const float* more = args.first ? args.before : args.c;
  const int64_t stride = args.first ? args.residual_stride : args.c_stride;
  if (!more) return;
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i, more += stride) {
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      const VF v = kPartial && j == kVectors - 1 ? load_part(d, more + j * kLanes, args.last_lanes)
                                                 : hn::LoadU(d, more + j * kLanes);
      acc[i][j] = hn::Add(acc[i][j], v);
    }
  }
}

template <int kRows, int kVectors, bool kPartial>
HWY_INLINE void end_tile(const TileArgs& args, VF (&acc)[kRows][kVectors]) {
  const F32 d;
  if (args.last) {
    const VF low = hn::Set(d, args.low), high = hn::Set(d, args.high);
    // In this order of operands x86 returns NaN for NaN.
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) acc[i][j] = hn::Min(high, hn::Max(low, acc[i][j]));
    }
    if (const float* after = args.after) {
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i, after += args.residual_stride) {
#pragma GCC unroll 8
        for (int j = 0; j < kVectors; ++j) {
          const VF v = kPartial && j == kVectors - 1 ? load_part(d, after + j * kLanes, args.last_lanes)
                                                     : hn::LoadU(d, after + j * kLanes);
          acc[i][j] = hn::Add(acc[i][j], v);
        }
      }
    }
  }
  float* c = args.c;
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i, c += args.c_stride) {
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      if (kPartial && j == kVectors - 1) {
        store_part(d, acc[i][j], c + j * kLanes, args.last_lanes);
      } else {
        hn::StoreU(acc[i][j], d, c + j * kLanes);
      }
    }
  }
}

// The same of one row, whose product is as fast as b is read: each set has a quarter of the steps of k, and memory is read at four places
// at a time.
template <int kVectors> HWY_INLINE void accumulate_row(const TileArgs& args, VF (&acc)[4][1][kVectors]) {
  const F32 d;
  const auto* HWY_RESTRICT b = static_cast<const float*>(args.b);
  const int64_t b_stride = args.b_stride, quarter = args.depth / 4;
  const auto add = [&](int set, const float* a, int64_t k) HWY_ATTR {
    const VF av = hn::Set(d, a[k]);
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j)
      acc[set][0][j] = hn::MulAdd(av, hn::LoadU(d, b + k * b_stride + j * kLanes), acc[set][0][j]);
  };
  for (int64_t t = 0; t < args.taps; ++t, b += args.depth * b_stride) {
    const float* a = args.rows[t * args.rows_stride];
    for (int64_t k = 0; k < quarter; ++k) {
#pragma GCC unroll 4
      for (int set = 0; set < 4; ++set) add(set, a, set * quarter + k);
    }
#pragma GCC unroll 3
    for (int set = 0; set < 3; ++set)
      if (4 * quarter + set < args.depth) add(set, a, 4 * quarter + set);
  }
}

// A row of more vectors than registers hold for all four sets: one set after another, so that memory is read from its beginning to its end.
template <int kVectors> HWY_INLINE void accumulate_set(const TileArgs& args, int64_t set, VF (&acc)[1][kVectors]) {
  const F32 d;
  const int64_t b_stride = args.b_stride, quarter = args.depth / 4;
  const auto* HWY_RESTRICT b = static_cast<const float*>(args.b);
  const auto add = [&](const float* a, int64_t k) HWY_ATTR {
    const float* HWY_RESTRICT from = b + k * b_stride;
    const VF av = hn::Set(d, a[k]);
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) acc[0][j] = hn::MulAdd(av, hn::LoadU(d, from + j * kLanes), acc[0][j]);
  };
  for (int64_t t = 0; t < args.taps; ++t, b += args.depth * b_stride) {
    const float* a = args.rows[t * args.rows_stride];
    for (int64_t k = set * quarter; k < (set + 1) * quarter; ++k) add(a, k);
    if (set < 3 && 4 * quarter + set < args.depth) add(a, 4 * quarter + set);
  }
}

template <int kVectors, bool kPartial> HWY_INLINE void wide_row(const TileArgs& args) {
  VF sums[1][kVectors], acc[1][kVectors];
  begin_tile<1, kVectors, kPartial>(args, acc);
  accumulate_set(args, 0, acc);
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) sums[0][j] = acc[0][j];
  for (int64_t set = 1; set < 4; ++set) {
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) acc[0][j] = hn::Zero(F32());
    accumulate_set(args, set, acc);
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) sums[0][j] = hn::Add(sums[0][j], acc[0][j]);
  }
  end_tile<1, kVectors, kPartial>(args, sums);
}

template <int kVectors> void row_tile(const TileArgs& args) {
  if (args.last_lanes != kLanes) return wide_row<kVectors, true>(args);
  wide_row<kVectors, false>(args);
}

template <int kRows, int kVectors> void tile(const TileArgs& args) {
  // By rows alone: all columns of a row are summed in the same order, so equal columns of B give equal results.
  constexpr int kSets = kRows >= 4 ? 1 : kRows >= 2 ? 2 : 4;
  const bool partial = args.last_lanes != kLanes;
  VF acc[kSets][kRows][kVectors];
  if (partial) {
    begin_tile<kRows, kVectors, true>(args, acc[0]);
  } else {
    begin_tile<kRows, kVectors, false>(args, acc[0]);
  }
#pragma GCC unroll 4
  for (int s = 1; s < kSets; ++s) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) acc[s][i][j] = hn::Zero(F32());
    }
  }
  if constexpr (kRows == 1) accumulate_row<kVectors>(args, acc);
  else accumulate<kRows, kVectors, kSets>(args, acc);
#pragma GCC unroll 4
  for (int s = 1; s < kSets; ++s) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) acc[0][i][j] = hn::Add(acc[0][i][j], acc[s][i][j]);
    }
  }
  if (partial) {
    end_tile<kRows, kVectors, true>(args, acc[0]);
  } else {
    end_tile<kRows, kVectors, false>(args, acc[0]);
  }
}

// A vector of narrow weights, as float32.
HWY_INLINE VF widened(const hwy::bfloat16_t* b) {
  return hn::PromoteTo(F32(), hn::LoadU(hn::Rebind<hwy::bfloat16_t, F32>(), b));
}
#if HWY_TARGET <= HWY_AVX2
HWY_INLINE VF widened(const hwy::float16_t* b) {
  return hn::PromoteTo(F32(), hn::LoadU(hn::Rebind<hwy::float16_t, F32>(), b));
}
#endif

// Adds a quarter of the terms of each tap, and of those behind the quarters one.
template <class Weight, int kVectors>
HWY_INLINE void accumulate_quarter(const TileArgs& args, int64_t which, VF (&acc)[1][kVectors]) {
  const int64_t b_stride = args.b_stride, quarter = args.depth / 4;
  const auto* HWY_RESTRICT b = static_cast<const Weight*>(args.b);
  const auto add = [&](const float* a, int64_t k) HWY_ATTR {
    const Weight* HWY_RESTRICT from = b + k * b_stride;
    const VF av = hn::Set(F32(), a[k]);
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) acc[0][j] = hn::MulAdd(av, widened(from + j * kLanes), acc[0][j]);
  };
  for (int64_t t = 0; t < args.taps; ++t, b += args.depth * b_stride) {
    const float* a = args.rows[t * args.rows_stride];
    for (int64_t k = which * quarter; k < (which + 1) * quarter; ++k) add(a, k);
    if (which < 3 && 4 * quarter + which < args.depth) add(a, 4 * quarter + which);
  }
}

// Sums of quarters keep what the last of many small terms add; one after another, so that memory is read from its beginning to its end.
template <class Weight, int kVectors, bool kPartial> HWY_INLINE void multiply_row(const TileArgs& args) {
  VF sums[1][kVectors], acc[1][kVectors];
  begin_tile<1, kVectors, kPartial>(args, sums);
  for (int64_t quarter = 0; quarter < 4; ++quarter) {
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) acc[0][j] = hn::Zero(F32());
    accumulate_quarter<Weight, kVectors>(args, quarter, acc);
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) sums[0][j] = hn::Add(sums[0][j], acc[0][j]);
  }
  end_tile<1, kVectors, kPartial>(args, sums);
}

template <class Weight, int kVectors> void narrow_row(const TileArgs& args) {
  if (args.last_lanes != kLanes) return multiply_row<Weight, kVectors, true>(args);
  multiply_row<Weight, kVectors, false>(args);
}

template <int kVectors> constexpr void fill_narrow_rows(TileTable& table) {
  if constexpr (kVectors >= 1) {
#if HWY_TARGET <= HWY_AVX2
    table.narrow_row[0][kVectors] = narrow_row<hwy::float16_t, kVectors>;
#endif
    table.narrow_row[1][kVectors] = narrow_row<hwy::bfloat16_t, kVectors>;
    fill_narrow_rows<kVectors - 1>(table);
  }
}

template <int kVectors, int kRows> constexpr void fill_table(TileTable& table) {
  if constexpr (kRows >= 1) {
    if constexpr (kRows <= kRowLimit[kVectors]) table.tile[kVectors][kRows] = tile<kRows, kVectors>;
    fill_table<kVectors, kRows - 1>(table);
  }
}

// Of one row: as tiles are, and wider ones where registers are few.
template <int kVectors> constexpr void fill_rows(TileTable& table) {
  if constexpr (kVectors >= 1) {
    if constexpr (kVectors <= kRowSets) table.row[kVectors] = tile<1, kVectors>;
    else table.row[kVectors] = row_tile<kVectors>;
    fill_rows<kVectors - 1>(table);
  }
}

void activate_rows(const Epilogue& e, const float* after, float* c, int64_t c_stride, int64_t rows, int64_t columns) {
  with_activation(e.activation, [&](auto constant) HWY_ATTR {
    const VF alpha = hn::Set(F32(), e.alpha), beta = hn::Set(F32(), e.beta);
    for (int64_t i = 0; i < rows; ++i) {
      float* row = c + i * c_stride;
      transform(row, row, columns,
                [&](F32 d, VF x) HWY_ATTR { return activate<decltype(constant)::value>(d, x, alpha, beta); });
      if (!after) continue;
      for (int64_t j = 0; j < columns; ++j) row[j] += after[i * e.residual_stride + j];
    }
  });
}

// Of three columns side by side, as images have them.
void interleave_three(const float* in, int64_t stride, int64_t depth, float* out) {
  const F32 d;
  int64_t k = 0;
  for (; k + kLanes <= depth; k += kLanes)
    hn::StoreInterleaved3(hn::LoadU(d, in + k), hn::LoadU(d, in + stride + k), hn::LoadU(d, in + 2 * stride + k), d,
                          out + 3 * k);
  for (; k < depth; ++k) {
    for (int64_t j = 0; j < 3; ++j) out[3 * k + j] = in[j * stride + k];
  }
}

// 4x4 blocks in 128-bit registers.
void transpose_panel(const float* in, int64_t stride, int64_t columns, int64_t depth, float* out, int64_t width) {
  if (columns == 3 && width == 3) return interleave_three(in, stride, depth, out);
  const hn::FixedTag<float, 4> d;
  const hn::RepartitionToWide<decltype(d)> dw;
  int64_t j = 0;
  for (; j + 4 <= columns; j += 4) {
    const float* r = in + j * stride;
    int64_t k = 0;
    for (; k + 4 <= depth; k += 4, r += 4) {
      const auto r0 = hn::LoadU(d, r), r1 = hn::LoadU(d, r + stride), r2 = hn::LoadU(d, r + 2 * stride),
                 r3 = hn::LoadU(d, r + 3 * stride);
      const auto a = hn::BitCast(dw, hn::InterleaveLower(d, r0, r1)),
                 b = hn::BitCast(dw, hn::InterleaveLower(d, r2, r3));
      const auto e = hn::BitCast(dw, hn::InterleaveUpper(d, r0, r1)),
                 f = hn::BitCast(dw, hn::InterleaveUpper(d, r2, r3));
      float* o = out + k * width + j;
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(dw, a, b)), d, o);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(dw, a, b)), d, o + width);
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(dw, e, f)), d, o + 2 * width);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(dw, e, f)), d, o + 3 * width);
    }
    for (; k < depth; ++k, ++r) {
      for (int i = 0; i < 4; ++i) out[k * width + j + i] = r[i * stride];
    }
  }
  for (; j < columns; ++j) {
    for (int64_t k = 0; k < depth; ++k) out[k * width + j] = in[j * stride + k];
  }
}

const TileTable& table_of_target() {
  static constexpr TileTable table = [] {
    TileTable t{};
    t.lanes = kLanes;
    t.row_vectors = kRowVectors;
    for (int j = 1; j <= kMaxTileVectors; ++j) t.max_rows[j] = kRowLimit[j];
    fill_table<1, kMaxTileRows>(t);
    fill_table<2, kMaxTileRows>(t);
    fill_table<3, kMaxTileRows>(t);
    fill_table<4, kMaxTileRows>(t);
    fill_rows<kRowVectors>(t);
    fill_narrow_rows<kMaxRowVectors>(t);
    t.activate = activate_rows;
    t.transpose = transpose_panel;
    return t;
  }();
  return table;
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(table_of_target);
const TileTable& tile_table() noexcept { return HWY_DYNAMIC_DISPATCH(table_of_target)(); }
}  // namespace kiln::cpu
#endif
