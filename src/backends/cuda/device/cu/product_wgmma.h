// Arguments of the kernel of products whose terms lie in shared memory all at once, as far as there is room. Host and GPU.
#pragma once
#include "backends/cuda/device/cu/conv.h"

namespace kiln::cuda {

// Tiles of the result, of which a block multiplies all terms, or those of one of several splits.
inline constexpr GroupTile kWholeTile{1, 64};
inline constexpr int kWholeGroups = 2;        // of four warps, which take the chunks of terms in turns
inline constexpr int kMostWholeChunks = 12;   // of a block, at once
inline constexpr int kMostChunksInTurn = 32;  // beyond, kernels that fetch while they multiply are as good
inline constexpr int kMostClusterBlocks = 8;
// The sums that the groups of all splits leave for the block that adds them up.
inline constexpr int kWholePartBytes = kWholeGroups * kWholeTile.rows() * kWholeTile.columns * 4;

constexpr int whole_shared(int64_t chunks) { return static_cast<int>(chunks) * kWholeTile.stage() + kWholePartBytes; }

// Blocks of a cluster: `splits` for each of `shares` neighbouring column tiles, which fetch the rows of x for each other.
struct ProductWgmmaArguments {
  EpilogueArguments epilogue;
  const void* weights;  // as of ConvBoxArguments, in tiles of kWholeTile
  void* y;
  int64_t to_row = 0;  // elements between rows of the result
  uint32_t rows, columns, chunks;
  uint32_t splits, shares, held;  // held: chunks that a block has room for
  FastDivisor row_tiles;
  int32_t weights_are_constant;
};

}  // namespace kiln::cuda
