// Depthwise convolution of bytes: the bytes of four kernel columns are interleaved, so that one instruction adds four products.
#include "backends/cpu/device/compute/depthwise_int8.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/device/compute/depthwise_tile.h"
#include "backends/cpu/device/compute/hwy_byte_targets.h"
#include "backends/cpu/device/compute/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/depthwise_int8.cpp"
#include "hwy/foreach_target.h"

#include "backends/cpu/device/compute/sum_steps-inl.h"
// behind it
#include "backends/cpu/device/compute/interleave-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

inline constexpr int kPixels = static_cast<int>(kTilePixels);
HWY_INLINE void load_weights(const int8_t* from, Sums (&to)[kBlockVectors]) {
#pragma GCC unroll 8
  for (int j = 0; j < kBlockVectors; ++j)
    to[j] = hn::BitCast(SumTag(), hn::LoadU(hn::Repartition<int8_t, SumTag>(), from + j * 4 * kSumLanes));
}

template <bool kFour>
HWY_INLINE void add_row(const Sums (&x)[kBlockVectors], const Sums (&w)[kBlockVectors], Sums (&sums)[kBlockVectors]) {
#pragma GCC unroll 8
  for (int j = 0; j < kBlockVectors; ++j) sums[j] = add_products<kFour>(sums[j], x[j], w[j]);
}

// One kernel row of four neighbouring pixels: the columns of the second and the fourth lie one byte further.
template <bool kFour>
HWY_INLINE void add_shared_row(const BlockLoader& load, const uint8_t* const* columns, const Sums (&w)[kBlockVectors],
                               Sums (&sums)[kPixels][kBlockVectors]) {
  Sums moved[kBlockVectors];
#pragma GCC unroll 8
  for (int j = 0; j < kBlockVectors; ++j) moved[j] = hn::ShiftLeft<8>(w[j]);
  ByteVector a = load(columns[0]), b = load(columns[1]);
#pragma GCC unroll 2
  for (int i = 0; i < kPixels; i += 2) {
    const ByteVector c = load(columns[i + 2]), d = load(columns[i + 3]);
    Sums x[kBlockVectors];
    interleave(a, b, c, d, x);
    add_row<kFour>(x, w, sums[i]);
    add_row<kFour>(x, moved, sums[i + 1]);
    a = c;
    b = d;
  }
}

// Pixels and channels of `at`; `addresses` as locate_tile() writes them.
template <bool kFour, bool kShared>
HWY_NOINLINE void run_block(const DepthwiseCall& call, const uint8_t* const* addresses, const DepthwiseWeights& w,
                            const TilePlace& at, const SumEpilogue& e) {
  Sums sums[kPixels][kBlockVectors];
#pragma GCC unroll 8
  for (int j = 0; j < kBlockVectors; ++j) {
    const Sums start = e.start ? hn::LoadU(SumTag(), e.start + at.column_of(j)) : hn::Zero(SumTag());
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i) sums[i][j] = start;
  }
  const BlockLoader load_channels = block_loader(at.columns, call.is_signed);
  const auto load = [&](const uint8_t* pixel) { return load_channels(pixel + at.column); };
  const int8_t* packed = call.packed + at.column * 4;
  for (int64_t part = 0; part < w.parts; ++part) {
    const uint8_t* const* from = addresses;
    for (int64_t row = 0; row < w.kernel_h * w.quads(); ++row, packed += w.packed_channels() * 4) {
      Sums weights[kBlockVectors];
      load_weights(packed, weights);
      if constexpr (kShared) {
        const uint8_t* columns[kSharedColumns];
#pragma GCC unroll 8
        for (int c = 0; c < kSharedColumns; ++c) columns[c] = from[c] + at.column;
        add_shared_row<kFour>(load_channels, columns, weights, sums);
        from += kSharedColumns;
      } else {
#pragma GCC unroll 8
        for (int i = 0; i < kPixels; ++i) {
          Sums x[kBlockVectors];
          interleave(load(from[i]), load(from[kPixels + i]), load(from[2 * kPixels + i]), load(from[3 * kPixels + i]),
                     x);
          add_row<kFour>(x, weights, sums[i]);
        }
        from += 4 * kPixels;
      }
    }
  }
  finish_tile(e, at, sums, call.out, call.shape.out_stride);
}

// Tiles [begin, end), row by row of the result.
template <bool kFour>
void run_some_tiles(const DepthwiseCall& call, const SumEpilogue& e, int64_t begin, int64_t end, uint8_t* scratch) {
  const VolumeShape& s = call.shape;
  const DepthwiseWeights weights{call.parts, s.kernel_d * s.kernel_h, s.kernel_w, s.in_c};
  auto* offsets = reinterpret_cast<int64_t*>(scratch);
  auto** addresses = reinterpret_cast<const uint8_t**>(offsets + tile_columns(s));
  const int64_t row_tiles = call.row_tiles(), out_w = s.out_w(), out_h = s.out_h();
  const auto run = shares_columns(s) ? run_block<kFour, true> : run_block<kFour, false>;
  for (int64_t tile = begin; tile < end; ++tile) {
    const int64_t row = tile / row_tiles, ox = tile % row_tiles * kTilePixels;
    locate_tile(call, row / out_h, row % out_h, ox, offsets, addresses);
    for (int64_t c = 0; c < s.in_c; c += kBlockBytes)
      run(call, addresses, weights,
          {row * out_w + ox, std::min(kTilePixels, out_w - ox), c, std::min<int64_t>(kBlockBytes, s.in_c - c)}, e);
  }
}

void run_tiles(const DepthwiseCall& call, const SumEpilogue& e, int64_t begin, int64_t end, uint8_t* scratch) {
  by_instruction([&](auto four) { run_some_tiles<four()>(call, e, begin, end, scratch); });
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(run_tiles);

namespace {

constexpr double kProductsPerNanosecond = 40;

}  // namespace

int64_t depthwise_int8_scratch(const VolumeShape& s, int threads) {
  if (s.in_c == 0) return 0;
  return address_bytes(s) * threads + (s.in_c + 63) / 64 * 64;
}

void depthwise_int8(const VolumeShape& s, const uint8_t* x, bool is_signed, int32_t zero, int64_t parts,
                    const int8_t* packed, void* out, const SumEpilogue& e, int threads, uint8_t* scratch) noexcept {
  const int64_t pixels = s.windows();
  if (pixels == 0 || s.in_c == 0) return;
  const double work = static_cast<double>(pixels) * static_cast<double>(s.in_c * s.kernel_d * s.kernel_h * s.kernel_w);
  threads = useful_threads(threads, work / kProductsPerNanosecond);
  uint8_t* padding = scratch + address_bytes(s) * threads;
  std::memset(padding, zero, static_cast<size_t>(s.in_c));
  const DepthwiseCall call{s, x, is_signed, parts, packed, out, padding};
  parallel_ranges(threads, s.batch * s.out_d() * s.out_h() * call.row_tiles(),
                  [&](int64_t begin, int64_t end, int part) {
                    HWY_DYNAMIC_DISPATCH(run_tiles)(call, e, begin, end, scratch + part * address_bytes(s));
                  });
}

}  // namespace kiln::cpu
#endif
