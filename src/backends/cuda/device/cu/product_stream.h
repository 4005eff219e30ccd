// Arguments of the kernel of products of very many rows. Host and GPU.
#pragma once
#include "backends/cuda/device/cu/conv.h"

namespace kiln::cuda {

// Two blocks form a cluster: tiles of theirs lie below each other, and each fetches half of the weights for both.
inline constexpr GroupTile kPairTile{2, 256};
inline constexpr int kPairBlocks = 2, kPairStages = 4;
inline constexpr int kPairThreads = (kPairTile.groups + 1) * 128;  // warps of the last group copy
inline constexpr int kPairSlab = 64 * 128;                         // bytes of 64 rows that leave at once
inline constexpr int kPairSlabs = 2;                               // of a group, on their way
inline constexpr int kPairShared = kPairStages * kPairTile.stage() + kPairTile.groups * kPairSlabs * kPairSlab;

struct ProductStreamArguments {
  EpilogueArguments epilogue;
  const void* weights;  // as of ConvBoxArguments, in tiles of kPairTile
  uint32_t rows, columns, chunks;
  uint32_t tiles;  // of both blocks
  uint32_t lead;   // chunks that the first group is ahead of the second
  FastDivisor column_tiles;
  int32_t weights_are_constant;
};

}  // namespace kiln::cuda
