// Which tiles of the kernels on tensor cores suit a product, best guess first.
#pragma once
#include "backends/cuda/device/cu/product_wgmma.h"
#include "backends/cuda/device/gpu.h"
#include "target/epilogue.h"

namespace kiln::cuda {

// rows x columns, each a sum of so many chunks of terms (128 bytes).
struct TiledProduct {
  int64_t rows = 0, columns = 0, chunks = 0;
};
// Configurations of kernel "conv_mma": tile. Of "conv_wgmma": tile, splits, stages.
std::vector<Config> mma_configs(const TiledProduct& product, const Chip& chip);
// Of "conv_int8": tile, splits.
std::vector<Config> byte_configs(const TiledProduct& product, const Chip& chip);
std::vector<Config> wgmma_configs(const TiledProduct& product, bool matrix, const Chip& chip);
// Of "conv_window": tile, splits, stages, boxes.
struct WindowedResult {
  int64_t width = 0, height = 0, batch = 0;    // of the result
  int64_t taps = 0, reach_w = 0, reach_h = 0;  // of the window; how far it reaches beyond its first pixel
};
std::vector<Config> window_configs(const TiledProduct& product, const WindowedResult& result, const Chip& chip);
// Of "product_wgmma": splits, shares. Empty: the product is too large for it.
std::vector<Config> whole_configs(const TiledProduct& product, const Chip& chip);
// Whether it takes the product, and is reckoned to be about as fast as "conv_wgmma".
bool suits_whole(const TiledProduct& product, const Chip& chip);
// Of "conv_stream": tile, stages, buffers, apart.
std::vector<Config> stream_configs(const TiledProduct& product, const FusedEpilogue& epilogue, const Chip& chip);

}  // namespace kiln::cuda
