// Arguments of the convolutions and products by tiles. A row of the product is a pixel of the result, a column an output channel,
// a term a channel of a pixel under the window; a plain product is a convolution of one row of pixels with a window of one. Host and GPU.
#pragma once
#include "backends/cuda/device/cu/epilogue.h"
#include "backends/cuda/device/cu/sums.h"
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

// The source, and where results go.
struct ConvGeometry {
  int64_t from_batch = 0, from_row = 0, from_pixel = 0;  // elements of the source
  int64_t to_pixel = 0;                                  // elements of the result: its pixels lie at equal distances
  uint32_t pixels = 0, columns = 0;                      // of the result; columns of one group
  FastDivisor out_plane, out_width;
  int32_t height = 1, width = 1;  // of the source
  int32_t stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1, top = 0, left = 0;
  uint32_t taps_h = 1, taps_w = 1;
  uint32_t channels = 0;  // of one group of the source
};

struct ConvTileArguments {
  ConvGeometry g;
  const void* x;
  const void* weights;  // [groups, columns, taps, channels]
  void* y;
  uint32_t terms;  // taps * channels: whole pieces
  uint32_t chunks;
  FastDivisor row_tiles;
  FastDivisor pieces, tap_columns;  // pieces of a pixel; taps of a row of the window
  int32_t weights_are_constant;
};

struct ConvMmaArguments : ConvTileArguments {
  EpilogueArguments epilogue;
};

// Weights that are sums of signed bytes lie part by part: [groups, columns, parts, taps, channels], with as many terms.
struct ConvInt8Arguments : ConvTileArguments {
  SumArguments sums;
  FastDivisor tap_rows;  // rows of the window
  FastDivisor splits;    // blocks of a cluster that share the terms of a tile
};

// x with channels padded to whole pieces: y[pixel, channel] = x, or 0 beyond the channels.
struct PadChannelsArguments {
  Walk<1> pixels;  // operand 0: the source
  int64_t channel_stride;
  uint32_t channels;
  FastDivisor padded;
};

inline constexpr int kPadThreads = 256;

// Tiles of the mma kernels: rows, columns, warps along each, stages of the pipeline.
struct MmaTile {
  int rows, columns, row_warps, column_warps, stages;
  constexpr int threads() const { return row_warps * column_warps * 32; }
  constexpr int shared() const { return stages * (rows + columns) * 128; }
};
inline constexpr MmaTile kMmaTiles[] = {
    {128, 128, 2, 4, 3}, {128, 64, 4, 2, 4}, {64, 64, 2, 2, 4}, {64, 32, 4, 1, 4}, {32, 64, 2, 2, 4}};
inline constexpr int kMmaTileCount = 5;
inline constexpr int kMostMmaSplits = 4;
// Whether the sums of the other blocks fit the stages of the first.
constexpr bool fits_splits(const MmaTile& tile, int splits) {
  return (splits - 1) * tile.rows * tile.columns * 4 <= tile.shared();
}

// Tiles of the wgmma kernels: groups of four warps with 64 rows each, and columns.
struct GroupTile {
  int groups, columns;
  constexpr int rows() const { return groups * 64; }
  constexpr int threads() const { return groups * 128 + 32; }
  constexpr int stage() const { return (rows() + columns) * 128; }  // bytes
};
inline constexpr GroupTile kGroupTiles[] = {{1, 32}, {1, 64}, {1, 128}, {2, 32}, {2, 64}, {2, 128}, {2, 256}, {4, 64}};
inline constexpr int kGroupTileCount = 8;
inline constexpr int kMaxStages = 12;
inline constexpr int kMaxSplits = 8;

// The output channel, within a tile, whose weights lie in row `row` of the tile: such that the eight results that a thread has in
// four neighbouring squares of eight columns are eight neighbouring channels.
#ifdef __CUDACC__
__host__ __device__
#endif
    inline uint32_t
    channel_of_row(uint32_t row) {
  return row / 32 * 32 + row % 8 / 2 * 8 + row % 32 / 8 * 2 + row % 2;
}

// Rows are the pixels of boxes of box_w x box_h x box_n pixels of the result, as the tensor map of the source has them.
struct ConvBoxArguments {
  ConvGeometry g;
  EpilogueArguments epilogue;
  const void* weights;  // [column tiles, chunks, rows of a tile, chunk], swizzled, rows in the order of channel_of_row
  uint32_t chunks, stages;
  uint32_t box_bytes;
  FastDivisor box_w, box_h;
  uint32_t box_n;
  FastDivisor tiles_w, tiles_h;
  FastDivisor chunks_per_tap, tap_columns;
  int32_t weights_are_constant;
};

struct ConvWgmmaArguments : ConvBoxArguments {
  void* y;
  uint32_t splits;
  int32_t batch, height, width;  // of the result
  FastDivisor row_tiles;
};

// Chunks are of channels; each is a box of pixels in shared memory that all taps read. Tiles are runs of eight pixels below each other.
struct ConvWindowArguments : ConvWgmmaArguments {
  uint32_t boxes;                     // on their way at once, of `box_bytes`
  uint32_t box_stride;                // bytes between them, whole kilobytes
  uint32_t pitch_bytes, plane_bytes;  // of a row of pixels in a box, and of an image
  uint32_t groups_down;               // groups of four warps below each other in an image
};
inline constexpr int kMaxBoxes = 4;
inline constexpr int kRunPixels = 8, kRunsOfGroup = 8;

// Tiles of the stream kernels: the rows of two groups of four warps, and columns.
struct StreamTile {
  int rows, columns;
  constexpr int stage() const { return (rows + columns) * 128; }  // bytes
  constexpr int result() const { return rows * columns * 2; }     // bytes
};
inline constexpr StreamTile kStreamTiles[] = {{128, 64}, {256, 64}, {128, 128}, {256, 128}, {128, 256}};
inline constexpr int kStreamTileCount = 5;
inline constexpr int kStreamThreads = 3 * 128;  // two groups multiply, warps of the third copy
inline constexpr int kMaxBuffers = 2;

// Blocks go from tile to tile; results leave through as many buffers in shared memory, where the residual has come before.
struct ConvStreamArguments : ConvBoxArguments {
  uint32_t buffers, tiles;
  FastDivisor column_tiles;
};

}  // namespace kiln::cuda
