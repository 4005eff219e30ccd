// Parameters of the convolutions, and of products by tiles: what they mean together.
#include "backends/cuda/device/kernels/conv_parameters.h"

#include "backends/cuda/device/cu/conv_stream.h"
#include "backends/cuda/device/kernels/depthwise.h"

namespace kiln::cuda::kernels {

void TiledWindow::check() const {
  constexpr int64_t kMostTaps = 1 << 20;
  if (window.kernel[0] > kMostTaps / window.kernel[1])
    throw malformed_parameter("kernel", "has more than " + std::to_string(kMostTaps) + " elements");
}

void TiledWindow::require_one_group() const {
  if (groups != 1) throw malformed_parameter("groups", "is " + std::to_string(groups)).cause("the kernel takes one");
}

void GroupChoice::check() const {
  if (kGroupTiles[tile].groups * 8 % splits != 0)
    throw malformed_parameter("splits", "is " + std::to_string(splits)).cause("the rows of a tile do not split so");
}

void WindowChoice::check() const {
  GroupChoice::check();
  if (stages < 2) throw malformed_parameter("stages", "is " + std::to_string(stages)).cause("it must be at least 2");
}

void ConvStreamParameters::check() const {
  if (choice.apart && !(has_finish_apart(kStreamTiles[choice.tile]) && is_finished_apart(conv.epilogue.activation)))
    throw malformed_parameter("apart", "is 1").cause("further warps have no such tile or activation");
}

void WholeChoice::check() const {
  if (splits * shares > kMostClusterBlocks)
    throw malformed_parameter("shares", "is " + std::to_string(shares))
        .cause("a cluster has no " + std::to_string(splits) + " times " + std::to_string(shares) + " blocks");
}

void BoxesChoice::check() const {
  if (pairs == 16 && patch != 0)
    throw malformed_parameter("patch", "is " + std::to_string(patch)).cause("16 pairs of channels have no such patch");
}

void DepthwiseBoxesParameters::check() const {
  if (!has_depthwise_boxes(conv.window))
    throw malformed_parameter("kernel", "has other sizes, strides or dilations than the kernel's windows");
}

void ScaledConvParameters::check() const {
  conv.require_one_group();
  const SlidingWindow& w = conv.window;
  for (int axis : {0, 1})
    if (w.kernel[axis] != 1 || w.stride[axis] != 1 || w.begin[axis] != 0 || w.end[axis] != 0)
      throw malformed_parameter("kernel", "is not one pixel, with strides of 1 and without padding");
}

void ConvDepthwiseParameters::check() const {
  if (choice.tile >= std::max<int64_t>(depthwise_tiles(conv.window), 1))
    throw malformed_parameter("tile", "is " + std::to_string(choice.tile))
        .cause("the window has " + std::to_string(depthwise_tiles(conv.window)) + " tiles");
}

void ByteChoice::check() const {
  if (!fits_splits(kMmaTiles[tile], static_cast<int>(splits)))
    throw malformed_parameter("splits", "is " + std::to_string(splits)).cause("the sums of all blocks do not fit one");
}

void ByteSums::check() const {
  if (sums.activations || sums.table || sums.is_signed)
    throw malformed_parameter(sums.activations ? "step_activations"
                              : sums.table     ? "table"
                                               : "table_signed",
                              "is none that kernels of GPUs take");
  if (sums.kinds.size() > kMostSumSteps)
    throw malformed_parameter("steps", "has " + std::to_string(sums.kinds.size()) + " elements")
        .cause("the kernel takes " + std::to_string(kMostSumSteps));
}

}  // namespace kiln::cuda::kernels
