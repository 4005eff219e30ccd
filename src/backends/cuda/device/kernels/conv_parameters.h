// Parameters of the convolutions, and of products by tiles. What the tuner may vary of a kernel is a struct of its own: its configuration.
#pragma once
#include "backends/cuda/device/cu/conv_depthwise.h"
#include "backends/cuda/device/cu/conv_few.h"
#include "backends/cuda/device/cu/product_wgmma.h"
#include "backends/cuda/device/cu/scaled_conv.h"
#include "backends/cuda/device/kernels/sum_parameters.h"
#include "device/conv_parameters.h"

namespace kiln::cuda::kernels {

// Bytes of a block's shared memory beside its stages: what their alignment takes, and its barriers.
inline constexpr int64_t kSlack = 1024 + 512;
static_assert(8 * (2 * (kMaxStages + kMaxBoxes) + 1) <= 512);

struct TiledWindow : GroupedWindow {
  bool matrix = false;  // x is rows of terms instead of images, and the window one element
  int64_t taps() const { return window.kernel[0] * window.kernel[1]; }
  template <class V> void fields(V& v) {
    GroupedWindow::fields(v);
    v("matrix", matrix);
  }
  void check() const;              // that the window has not too many elements
  void require_one_group() const;  // throws Error
};

// Of "skinny", and of what others by tiles begin with.
struct TiledParameters : TiledWindow {
  EpilogueParameters epilogue = {};
  template <class V> void fields(V& v) {
    TiledWindow::fields(v);
    v(epilogue);
  }
};

// Of a kernel by tiles that knows no more than how they are chosen.
template <class Choice> struct ChosenTiles {
  TiledParameters conv = {};
  Choice choice = {};
  template <class V> void fields(V& v) {
    v(conv);
    v(choice);
  }
};

struct MmaChoice {
  int64_t tile = 0;  // of kMmaTiles
  template <class V> void fields(V& v) { v("tile", tile, 0, kMmaTileCount - 1); }
};
struct ConvMmaParameters {
  TiledParameters conv = {};
  MmaChoice choice = {};
  bool tf32 = false;  // float32 may lose what TF32 lacks
  template <class V> void fields(V& v) {
    v(conv);
    v(choice);
    v("tf32", tf32);
  }
};

struct GroupChoice {
  int64_t tile = 0;    // of kGroupTiles
  int64_t splits = 1;  // blocks that share the terms of a tile
  int64_t stages = 1;  // chunks on their way at once
  template <class V> void fields(V& v) {
    v("tile", tile, 0, kGroupTileCount - 1);
    v("splits", splits, 1, kMaxSplits);
    v("stages", stages, 1, kMaxStages);
  }
  void check() const;  // that the rows of the tile split
};
using ConvWgmmaParameters = ChosenTiles<GroupChoice>;

// Stages are taps whose weights are on their way at once, two at least.
struct WindowChoice : GroupChoice {
  int64_t boxes = 1;  // the same of pixels
  template <class V> void fields(V& v) {
    GroupChoice::fields(v);
    v("boxes", boxes, 1, kMaxBoxes);
  }
  void check() const;
};
using ConvWindowParameters = ChosenTiles<WindowChoice>;

struct StreamChoice {
  int64_t tile = 0;     // of kStreamTiles
  int64_t stages = 2;   // chunks on their way at once
  int64_t buffers = 1;  // of results
  bool apart = false;   // the activation is done by further warps; sums are rounded before it
  template <class V> void fields(V& v) {
    v("tile", tile, 0, kStreamTileCount - 1);
    v("stages", stages, 2, kMaxStages);
    v("buffers", buffers, 1, kMaxBuffers);
    v("apart", apart);
  }
};
struct ConvStreamParameters : ChosenTiles<StreamChoice> {
  void check() const;  // that further warps have such a tile and activation
};

struct FewChoice {
  int64_t columns = kFewColumns[0], lines = kFewLines[0];
  template <class V> void fields(V& v) {
    v("columns", columns, kFewColumns);
    v("lines", lines, kFewLines);
  }
};
using ConvFewParameters = ChosenTiles<FewChoice>;

struct WholeChoice {
  static constexpr int kPowers[] = {1, 2, 4, 8};
  int64_t splits = 1;  // blocks that share the terms of a tile
  int64_t shares = 1;  // column tiles whose blocks fetch rows for each other
  template <class V> void fields(V& v) {
    v("splits", splits, kPowers);
    v("shares", shares, kPowers);
  }
  void check() const;  // that a cluster has so many blocks
};
using ProductWgmmaParameters = ChosenTiles<WholeChoice>;

struct BoxesChoice {
  static constexpr int kPairs[] = {16, 32};
  int64_t patch = 0;   // of kDepthwisePatches
  int64_t pairs = 32;  // of channels of a block
  template <class V> void fields(V& v) {
    v("patch", patch, 0, kDepthwisePatchCount - 1);
    v("pairs", pairs, kPairs);
  }
  void check() const;  // that there are such patches
};
struct DepthwiseBoxesParameters : ChosenTiles<BoxesChoice> {
  void check() const;  // that the kernel has the window
};

struct ScaledChoice {
  int64_t squares = kScaledSquares[0];  // of 16 rows, of a warp
  template <class V> void fields(V& v) { v("squares", squares, kScaledSquares); }
};
struct ScaledConvParameters : ChosenTiles<ScaledChoice> {
  void check() const;  // that the window is a pixel
};

struct DepthwiseChoice {
  int64_t tile = 0;  // of kDepthwiseTiles
  template <class V> void fields(V& v) { v("tile", tile, 0, std::ssize(kDepthwiseTiles) - 1); }
};
// The tile counts for single channels that lie innermost, under the windows that tiles are made for.
struct ConvDepthwiseParameters {
  ConvParameters conv = {};
  DepthwiseChoice choice = {};
  template <class V> void fields(V& v) {
    v(conv);
    v(choice);
  }
  void check() const;  // that the window has the tile
};

struct ByteChoice {
  int64_t tile = 0;    // of kMmaTiles
  int64_t splits = 1;  // blocks of a cluster that share the terms of a tile
  template <class V> void fields(V& v) {
    v("tile", tile, 0, kMmaTileCount - 1);
    v("splits", splits, 1, kMostMmaSplits);
  }
  void check() const;  // that the sums of all blocks fit one
};
// Of "conv_int8_any".
struct ByteConvParameters {
  TiledWindow conv = {};
  ByteSums sums = {};
  template <class V> void fields(V& v) {
    v(conv);
    v(sums);
  }
};
struct ConvInt8Parameters {
  ByteConvParameters bytes = {};
  ByteChoice choice = {};
  int64_t parts = 1;  // the weights are the sum of so many signed bytes
  template <class V> void fields(V& v) {
    v(bytes);
    v(choice);
    v("parts", parts, 1, kMostWeightParts);
  }
};

}  // namespace kiln::cuda::kernels
