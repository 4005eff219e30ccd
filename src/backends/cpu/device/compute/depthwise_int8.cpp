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

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

inline constexpr int kVectors = 4;  // of sums: a vector of bytes holds as many channels
inline constexpr int kPixels = static_cast<int>(kTilePixels);
inline constexpr int kBlockChannels = kVectors * kSumLanes;
using ByteTag = hn::Repartition<uint8_t, SumTag>;
using ByteVector = hn::Vec<ByteTag>;

// Channels of a pixel: four of them in each word, words in the order that leaves interleaved channels in theirs.
struct ChannelLoader {
  int64_t count;
  ByteVector flip;
  decltype(hn::SetTableIndices(SumTag(), static_cast<const int32_t*>(nullptr))) order;

  HWY_INLINE ByteVector operator()(const uint8_t* from) const {
    const ByteTag d;
    return hn::BitCast(d, hn::TableLookupLanes(hn::BitCast(SumTag(), hn::Xor(load(from), flip)), order));
  }

 private:
  HWY_INLINE ByteVector load(const uint8_t* from) const {
    const ByteTag d;
    if (count >= kBlockChannels) return hn::LoadU(d, from);
#if HWY_TARGET <= HWY_AVX3
    return hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(count)), d, from);
#else
    HWY_ALIGN uint8_t copy[kBlockChannels] = {};
    std::memcpy(copy, from, static_cast<size_t>(count));
    return hn::Load(d, copy);
#endif
  }
};

HWY_INLINE ChannelLoader channel_loader(int64_t count, bool is_signed) {
  constexpr int kBlocks = kSumLanes / 4;
  HWY_ALIGN int32_t order[kSumLanes];
  for (int block = 0; block < kBlocks; ++block)
    for (int j = 0; j < 4; ++j) order[block * 4 + j] = kBlocks * j + block;
  return {count, hn::Set(ByteTag(), is_signed ? uint8_t{0x80} : uint8_t{0}), hn::SetTableIndices(SumTag(), order)};
}

// Words of one byte from each of four pixels.
HWY_INLINE void interleave(ByteVector a, ByteVector b, ByteVector c, ByteVector d, Sums (&to)[kVectors]) {
  const hn::Repartition<uint16_t, SumTag> pairs;
  const ByteTag bytes;
  const auto low_ab = hn::BitCast(pairs, hn::InterleaveLower(bytes, a, b));
  const auto low_cd = hn::BitCast(pairs, hn::InterleaveLower(bytes, c, d));
  const auto high_ab = hn::BitCast(pairs, hn::InterleaveUpper(bytes, a, b));
  const auto high_cd = hn::BitCast(pairs, hn::InterleaveUpper(bytes, c, d));
  to[0] = hn::BitCast(SumTag(), hn::InterleaveLower(pairs, low_ab, low_cd));
  to[1] = hn::BitCast(SumTag(), hn::InterleaveUpper(pairs, low_ab, low_cd));
  to[2] = hn::BitCast(SumTag(), hn::InterleaveLower(pairs, high_ab, high_cd));
  to[3] = hn::BitCast(SumTag(), hn::InterleaveUpper(pairs, high_ab, high_cd));
}

HWY_INLINE void load_weights(const int8_t* from, Sums (&to)[kVectors]) {
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j)
    to[j] = hn::BitCast(SumTag(), hn::LoadU(hn::Repartition<int8_t, SumTag>(), from + j * 4 * kSumLanes));
}

HWY_INLINE void add_row(const Sums (&x)[kVectors], const Sums (&w)[kVectors], Sums (&sums)[kVectors]) {
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) sums[j] = add_products(sums[j], x[j], w[j]);
}

// One kernel row of four neighbouring pixels: the columns of the second and the fourth lie one byte further.
HWY_INLINE void add_shared_row(const ChannelLoader& load, const uint8_t* const* columns, const Sums (&w)[kVectors],
                               Sums (&sums)[kPixels][kVectors]) {
  Sums moved[kVectors];
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) moved[j] = hn::ShiftLeft<8>(w[j]);
  ByteVector a = load(columns[0]), b = load(columns[1]);
#pragma GCC unroll 2
  for (int i = 0; i < kPixels; i += 2) {
    const ByteVector c = load(columns[i + 2]), d = load(columns[i + 3]);
    Sums x[kVectors];
    interleave(a, b, c, d, x);
    add_row(x, w, sums[i]);
    add_row(x, moved, sums[i + 1]);
    a = c;
    b = d;
  }
}

// Pixels and channels of `at`; `addresses` as locate_tile() writes them.
template <bool kShared>
HWY_NOINLINE void run_block(const DepthwiseCall& call, const uint8_t* const* addresses, const DepthwiseWeights& w,
                            const TilePlace& at, const SumEpilogue& e) {
  Sums sums[kPixels][kVectors];
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) {
    const Sums start = e.start ? hn::LoadU(SumTag(), e.start + at.column_of(j)) : hn::Zero(SumTag());
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i) sums[i][j] = start;
  }
  const ChannelLoader load_channels = channel_loader(at.columns, call.is_signed);
  const auto load = [&](const uint8_t* pixel) { return load_channels(pixel + at.column); };
  const int8_t* packed = call.packed + at.column * 4;
  for (int64_t part = 0; part < w.parts; ++part) {
    const uint8_t* const* from = addresses;
    for (int64_t row = 0; row < w.kernel_h * w.quads(); ++row, packed += w.packed_channels() * 4) {
      Sums weights[kVectors];
      load_weights(packed, weights);
      if constexpr (kShared) {
        const uint8_t* columns[kSharedColumns];
#pragma GCC unroll 8
        for (int c = 0; c < kSharedColumns; ++c) columns[c] = from[c] + at.column;
        add_shared_row(load_channels, columns, weights, sums);
        from += kSharedColumns;
      } else {
#pragma GCC unroll 8
        for (int i = 0; i < kPixels; ++i) {
          Sums x[kVectors];
          interleave(load(from[i]), load(from[kPixels + i]), load(from[2 * kPixels + i]), load(from[3 * kPixels + i]),
                     x);
          add_row(x, weights, sums[i]);
        }
        from += 4 * kPixels;
      }
    }
  }
  finish_tile(e, at, sums, call.out, call.shape.out_stride);
}

// Tiles [begin, end), row by row of the result.
void run_tiles(const DepthwiseCall& call, const SumEpilogue& e, int64_t begin, int64_t end, uint8_t* scratch) {
  const ConvShape& s = call.shape;
  const DepthwiseWeights weights{call.parts, s.kernel_h, s.kernel_w, s.in_c};
  auto* offsets = reinterpret_cast<int64_t*>(scratch);
  auto** addresses = reinterpret_cast<const uint8_t**>(offsets + tile_columns(s));
  const int64_t row_tiles = call.row_tiles(), out_w = s.out_w(), out_h = s.out_h();
  const auto run = shares_columns(s) ? run_block<true> : run_block<false>;
  for (int64_t tile = begin; tile < end; ++tile) {
    const int64_t row = tile / row_tiles, ox = tile % row_tiles * kTilePixels;
    locate_tile(call, row / out_h, row % out_h, ox, offsets, addresses);
    for (int64_t c = 0; c < s.in_c; c += kBlockChannels)
      run(call, addresses, weights,
          {row * out_w + ox, std::min(kTilePixels, out_w - ox), c, std::min<int64_t>(kBlockChannels, s.in_c - c)}, e);
  }
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(run_tiles);

namespace {

constexpr double kProductsPerNanosecond = 40;

}  // namespace

int64_t depthwise_int8_scratch(const ConvShape& s, int threads) {
  return address_bytes(s) * threads + (s.in_c + 63) / 64 * 64;
}

void depthwise_int8(const ConvShape& s, const uint8_t* x, bool is_signed, int32_t zero, int64_t parts,
                    const int8_t* packed, void* out, const SumEpilogue& e, int threads, uint8_t* scratch) noexcept {
  const int64_t pixels = s.batch * s.out_h() * s.out_w();
  if (pixels == 0 || s.in_c == 0) return;
  const double work = static_cast<double>(pixels) * static_cast<double>(s.in_c * s.kernel_h * s.kernel_w);
  threads = useful_threads(threads, work / kProductsPerNanosecond);
  uint8_t* padding = scratch + address_bytes(s) * threads;
  std::memset(padding, zero, static_cast<size_t>(s.in_c));
  const DepthwiseCall call{s, x, is_signed, parts, packed, out, padding};
  parallel_ranges(threads, s.batch * s.out_h() * call.row_tiles(), [&](int64_t begin, int64_t end, int part) {
    HWY_DYNAMIC_DISPATCH(run_tiles)(call, e, begin, end, scratch + part * address_bytes(s));
  });
}

}  // namespace kiln::cpu
#endif
