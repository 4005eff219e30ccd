// What the kernels of squeeze-and-excite share: the two products that make factors of means.
#pragma once
#include <span>

#include "backends/cuda/device/cu/squeeze_excite.h"
#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/own_parameters.h"

namespace kiln::cuda::kernels {

// `weights`: [hidden, channels], bias, [channels, hidden], bias; packed by pack_mma_weights for elements of `type`.
Status check_squeeze_weights(std::span<const TensorView> weights, DType type, const SqueezeProducts& products,
                             int64_t channels);
// The products' part of the arguments but for slices and addresses. `images` have channels in words of `lanes`.
void set_squeeze(const SqueezeProducts& products, int64_t images, int64_t pixels, int64_t channels, int64_t lanes,
                 SqueezeExciteArguments& arguments);
void place_squeeze_weights(std::span<const TensorView> weights, SqueezeExciteArguments& arguments);
// As many slices of an image's words as `most`, a power of two, but none so short that it reads parts of sectors.
int64_t squeeze_slices(int64_t words, int64_t most);

// Shared memory of a block from which tables are taken one after the other; those that have no room are left out.
class SqueezeRoom {
 public:
  explicit SqueezeRoom(const Chip& chip) : chip_(chip), left_(chip.shared_per_block) {}
  // The floats of a block; false: they do not fit.
  bool take_floats(const SqueezeExciteArguments& arguments, int64_t threads, int64_t lanes);
  // Words that were given: `wanted`, or none.
  uint32_t take_words(int64_t wanted);
  unsigned taken() const { return static_cast<unsigned>(chip_.shared_per_block - left_); }

 private:
  const Chip& chip_;
  int64_t left_;  // bytes
};
// Those of a block's weights, where they fit.
uint32_t take_squeeze_weights(SqueezeRoom& room, const Chip& chip, const SqueezeExciteArguments& arguments,
                              int64_t lanes);
// Clusters of `launch` that hold their weights at the same time; those of several blocks do not fit all multiprocessors.
int64_t squeeze_clusters_at_once(const Chip& chip, const Launch& launch);

}  // namespace kiln::cuda::kernels
