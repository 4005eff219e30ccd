// Arguments of the convolutions of each channel alone. Host and GPU.
#pragma once
#include "backends/cuda/device/cu/epilogue.h"
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kDepthwiseThreads = 128;
inline constexpr int kDepthwiseLanes = 4;  // adjacent channels of a thread

// Adjacent results of a thread of the kernels for square windows of constant size; each window has the first few.
struct DepthwiseTile {
  int rows, columns;
};
inline constexpr DepthwiseTile kDepthwiseTiles[] = {{1, 4}, {2, 4}, {4, 4}};

struct DepthwiseGeometry {
  int32_t height, width;          // of the source
  int32_t out_height, out_width;  // of the result
  int32_t top, left;
  uint32_t channels;
  int64_t from_batch, from_row, from_pixel;  // elements of the source
};

// Channels lie innermost, in whole runs. A thread's place is, innermost first: a run of channels within a slice of them, a tile of a row,
// a row of tiles, a slice, an image.
struct DepthwiseArguments {
  DepthwiseGeometry g;
  EpilogueArguments epilogue;
  const void* x;
  const void* weights;  // [taps, padded]
  void* y;
  int64_t to_pixel;  // elements of the result: its pixels lie at equal distances
  uint32_t count;    // threads that have a place
  uint32_t padded;   // channels rounded up to whole runs
  FastDivisor slice, tiles_w, tiles_h, slices;
};

// Any window, any strides, groups of few channels: a thread has one result.
struct DepthwiseAnyArguments {
  DepthwiseGeometry g;
  EpilogueArguments epilogue;
  const void* x;
  const void* weights;  // [taps, terms, padded]
  void* y;
  uint32_t terms;       // channels of a group of the source
  FastDivisor columns;  // channels of a group of the result
  int64_t from_channel;
  int64_t to[4], residual[4];  // elements between neighbours along batch, channel, row, pixel
  uint32_t count, padded;
  // Places are counted along rows first when `by_rows`, along channels first otherwise.
  int32_t by_rows;
  FastDivisor all_channels, all_rows, all_columns;
  int32_t taps_h, taps_w, stride_h, stride_w, dilation_h, dilation_w;
};

// The kernels that read boxes of pixels from shared memory. A thread has two adjacent channels of a patch of results, and as many
// threads as there are pairs of channels in a block's slice have the same patch.
inline constexpr int kDepthwiseBoxThreads = 256, kMaxDepthwiseStages = 4;
inline constexpr DepthwiseTile kDepthwisePatches[] = {{4, 4}, {2, 7}};
inline constexpr int kDepthwisePatchCount = 2;

// A block has one slice of channels, and goes from tile to tile: a tile is the patches of a few images in the same place. Each thread has those
// of one image: images divide the threads with the same channels.
struct DepthwiseBoxArguments {
  EpilogueArguments epilogue;
  const void* weights;  // [taps, padded]
  void* y;
  float* sums;       // of the results of each image, [image, tile of it, channel]; for kernels that add up
  int64_t to_pixel;  // elements of the result: its pixels lie at equal distances
  uint32_t batch, channels, padded;
  int32_t out_height, out_width, top, left;
  uint32_t tiles, stages;
  uint32_t box_w, box_h, box_bytes;  // of the source under a tile
  uint32_t stage_bytes;              // they begin so far apart in shared memory
  uint32_t box_n;                    // images of a tile
  uint32_t patches_h;
  FastDivisor slices, tiles_w, tiles_h, patches_w;
  int32_t weights_are_constant;
};

}  // namespace kiln::cuda
