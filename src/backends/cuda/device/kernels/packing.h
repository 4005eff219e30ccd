// Weights as the kernels of convolutions and products read them. The builder packs, the kernels check sizes.
#pragma once
#include "backends/cuda/device/cu/conv.h"
#include "device/parameters.h"
#include "tensor/tensor.h"

namespace kiln::cuda::kernels {

// Elements of `bytes` bytes; distances between neighbours in elements. A product's right operand has one tap.
struct WeightView {
  const void* data = nullptr;
  int bytes = 0;
  int64_t groups = 1, columns = 0, taps = 1, channels = 0;  // columns: of one group
  int64_t group_stride = 0, column_stride = 0, tap_stride = 0, channel_stride = 0;
};

inline constexpr int64_t kPiece = 16, kChunk = 128;  // bytes
inline constexpr int64_t kPieceHalves = kPiece / 2;  // elements of 16 bits

// Channels of a pixel rounded up to whole pieces.
int64_t padded_channels(int64_t channels, int bytes);

// [groups, columns, taps, padded channels], zeros where there is no channel.
int64_t mma_weight_elements(int64_t groups, int64_t columns, int64_t taps, int64_t channels, int bytes);
Tensor pack_mma_weights(const WeightView& weights, DType type);

// Chunks of terms: each tap has whole ones.
int64_t wgmma_chunks(int64_t taps, int64_t channels, int bytes);
// [column tiles, chunks, rows of a tile, chunk], as ConvWgmmaArguments describes them. One group.
int64_t wgmma_weight_elements(int64_t columns, int64_t taps, int64_t channels, int bytes, const GroupTile& tile);
Tensor pack_wgmma_weights(const WeightView& weights, DType type, const GroupTile& tile);

// Bytes of a column's terms as ConvFewArguments describes them. One group of at most kFewChannels channels.
int64_t few_row_bytes(int64_t taps, int bytes);
int64_t few_weight_elements(int64_t columns, int64_t taps, int bytes, int64_t tile_columns);
Tensor pack_few_weights(const WeightView& weights, DType type, int64_t tile_columns);

// What a block of the kernel of few channels holds in shared memory. Throws Error when it is beyond all measure.
struct FewShape {
  int64_t row_bytes, patch_rows, patch_columns, shared;
};
FewShape few_shape(const SlidingWindow& window, int bytes, int64_t tile_columns, int64_t tile_lines);

}  // namespace kiln::cuda::kernels
