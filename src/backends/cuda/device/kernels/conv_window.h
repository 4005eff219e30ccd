// Sizes of kernel "conv_window", for it and for who chooses its configurations.
#pragma once
#include "backends/cuda/device/cu/conv.h"

namespace kiln::cuda::kernels {

// The pixels of x under the windows of a tile.
struct WindowBox {
  int64_t down = 1, images = 1;  // groups of four warps: below each other in an image, and images
  int64_t pitch = 0, rows = 0;   // of an image
  int64_t tiles = 0;             // that cover the result

  // As few tiles as possible. `reach`: how far a window reaches beyond its first pixel.
  static WindowBox of(const GroupTile& tile, int64_t width, int64_t height, int64_t batch, int64_t reach_w,
                      int64_t reach_h);
  int64_t pixels() const;
  int64_t stride() const;  // bytes from one to the next in shared memory, for a chunk of channels
  bool is_possible() const;
};
// Bytes of shared memory of a block.
int64_t window_shared(const GroupTile& tile, const WindowBox& box, int64_t splits, int64_t stages, int64_t boxes);

}  // namespace kiln::cuda::kernels
