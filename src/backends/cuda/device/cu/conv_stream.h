// What the stream kernels have beside cu/conv.h: activations by warps of their own. Host and GPU.
#pragma once
#include "backends/cuda/device/cu/conv.h"

namespace kiln::cuda {

// Activations that take longer than to round and store; their sums are rounded to the results' type first.
constexpr bool is_finished_apart(Activation activation) {
  return activation == Activation::kGeluErf || activation == Activation::kSilu;
}
// Tiles so large that there is time for it.
constexpr bool has_finish_apart(const StreamTile& tile) { return tile.rows * tile.columns == 128 * 256; }

}  // namespace kiln::cuda
