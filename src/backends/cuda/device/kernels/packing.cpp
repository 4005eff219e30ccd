// Weights as the kernels of convolutions and products read them.
#include "backends/cuda/device/kernels/packing.h"

#include <cstring>

#include "backends/cuda/device/cu/conv_few.h"
#include "base/checked.h"

namespace kiln::cuda::kernels {
namespace {

const uint8_t* element(const WeightView& w, int64_t group, int64_t column, int64_t tap, int64_t channel) {
  const int64_t at =
      group * w.group_stride + column * w.column_stride + tap * w.tap_stride + channel * w.channel_stride;
  return static_cast<const uint8_t*>(w.data) + at * w.bytes;
}

int64_t product(std::initializer_list<int64_t> factors) {
  int64_t n = 1;
  for (int64_t f : factors) n = mul_or_throw(n, f, "packed weights");
  return n;
}

}  // namespace

int64_t padded_channels(int64_t channels, int bytes) { return align_up(channels, kPiece / bytes); }

int64_t mma_weight_elements(int64_t groups, int64_t columns, int64_t taps, int64_t channels, int bytes) {
  return product({groups, columns, taps, padded_channels(channels, bytes)});
}

Tensor pack_mma_weights(const WeightView& w, DType type) {
  const int64_t padded = padded_channels(w.channels, w.bytes);
  Tensor packed = Tensor::allocate(type, {mma_weight_elements(w.groups, w.columns, w.taps, w.channels, w.bytes)});
  auto* to = static_cast<uint8_t*>(packed.mutable_data());
  const auto size = static_cast<size_t>(w.bytes);
  for (int64_t g = 0; g < w.groups; ++g)
    for (int64_t k = 0; k < w.columns; ++k)
      for (int64_t t = 0; t < w.taps; ++t, to += padded * w.bytes)
        for (int64_t c = 0; c < w.channels; ++c) std::memcpy(to + c * w.bytes, element(w, g, k, t, c), size);
  return packed;
}

int64_t wgmma_chunks(int64_t taps, int64_t channels, int bytes) {
  return product({taps, ceil_div(mul_or_throw(channels, bytes, "packed weights"), kChunk)});
}

int64_t wgmma_weight_elements(int64_t columns, int64_t taps, int64_t channels, int bytes, const GroupTile& tile) {
  return product({ceil_div(columns, tile.columns), tile.columns, wgmma_chunks(taps, channels, bytes), kChunk / bytes});
}

Tensor pack_wgmma_weights(const WeightView& w, DType type, const GroupTile& tile) {
  Tensor packed = Tensor::allocate(type, {wgmma_weight_elements(w.columns, w.taps, w.channels, w.bytes, tile)});
  auto* to = static_cast<uint8_t*>(packed.mutable_data());
  const int64_t chunk_channels = kChunk / w.bytes, chunks = wgmma_chunks(w.taps, w.channels, w.bytes);
  const int64_t chunks_per_tap = w.taps == 0 ? 0 : chunks / w.taps;
  const auto size = static_cast<size_t>(w.bytes);
  for (int64_t column0 = 0; column0 < w.columns; column0 += tile.columns)
    for (int64_t chunk = 0; chunk < chunks; ++chunk)
      for (uint32_t row = 0; row < static_cast<uint32_t>(tile.columns); ++row, to += kChunk) {
        const int64_t column = column0 + channel_of_row(row), first = chunk % chunks_per_tap * chunk_channels;
        if (column >= w.columns) continue;
        for (int64_t i = 0; i < chunk_channels && first + i < w.channels; ++i) {
          const int64_t piece = i * w.bytes / kPiece ^ (row & 7), inside = i * w.bytes % kPiece;
          std::memcpy(to + piece * kPiece + inside, element(w, 0, column, chunk / chunks_per_tap, first + i), size);
        }
      }
  return packed;
}

int64_t few_row_bytes(int64_t taps, int bytes) {
  return align_up(product({taps, kFewChannels, bytes}), int64_t{kFewStepBytes}) + kPiece;
}

int64_t few_weight_elements(int64_t columns, int64_t taps, int bytes, int64_t tile_columns) {
  return product({align_up(columns, tile_columns), few_row_bytes(taps, bytes) / bytes});
}

Tensor pack_few_weights(const WeightView& w, DType type, int64_t tile_columns) {
  Tensor packed = Tensor::allocate(type, {few_weight_elements(w.columns, w.taps, w.bytes, tile_columns)});
  auto* to = static_cast<uint8_t*>(packed.mutable_data());
  const auto size = static_cast<size_t>(w.bytes);
  for (int64_t row = 0; row < align_up(w.columns, tile_columns); ++row, to += few_row_bytes(w.taps, w.bytes)) {
    const int64_t column = channel_of_row(static_cast<uint32_t>(row));
    if (column >= w.columns) continue;
    for (int64_t t = 0; t < w.taps; ++t)
      for (int64_t c = 0; c < w.channels; ++c)
        std::memcpy(to + (t * kFewChannels + c) * w.bytes, element(w, 0, column, t, c), size);
  }
  return packed;
}

FewShape few_shape(const SlidingWindow& w, int bytes, int64_t tile_columns, int64_t tile_lines) {
  const auto reach = [&](int axis) {
    return product({(axis == 0 ? tile_lines : kFewAcross) - 1, w.stride[axis]}) +
           product({w.kernel[axis] - 1, w.dilation[axis]}) + 1;
  };
  FewShape s{few_row_bytes(product({w.kernel[0], w.kernel[1]}), bytes), reach(0), reach(1), 0};
  const int64_t pixel = int64_t{kFewChannels} * bytes, taps = s.row_bytes / kFewStepBytes * kFewStepBytes / pixel;
  s.shared = product({tile_columns, s.row_bytes}) + align_up(product({taps, sizeof(int32_t)}), kPiece) +
             product({s.patch_rows, s.patch_columns, pixel});
  return s;
}

}  // namespace kiln::cuda::kernels
