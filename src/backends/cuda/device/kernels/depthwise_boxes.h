// Convolutions of each channel alone by boxes of pixels, as a part of kernels: for compute capability 9.0 and later, of float16 or bfloat16,
// channels innermost and in whole words of 16 bytes, under the windows that has_depthwise_boxes knows.
#pragma once
#include "backends/cuda/device/cu/conv_depthwise.h"
#include "backends/cuda/device/kernels/conv_boxes.h"

namespace kiln::cuda::kernels {

// Operands x, weights packed by pack_depthwise_weights, bias, residual; one result. Where it `adds_up`, also the sums of each image's results
// before they are rounded, [image, part, channel]: the same in each run.
class DepthwiseBoxCall {
 public:
  DepthwiseBoxCall(Gpu& gpu, const DepthwiseBoxesParameters& parameters, bool adds_up);
  // Checks operands and computes what depends on shapes. May throw Error.
  Status plan(const KernelCall& call);
  // After it: finds the function.
  void load();
  const ConvOperands& operands() const { return operands_; }
  int64_t parts() const { return parts_; }  // of an image
  Status launch(Stream& stream, const KernelCall& call, float* sums = nullptr) noexcept;

 private:
  // Patches of a tile.
  struct Tile {
    int64_t w, h, n;
  };
  void plan_tiles();
  int64_t places() const;
  int64_t units() const;  // of threads that have one patch each
  PixelBox box_under(const Tile& tile) const;
  int64_t box_bytes(const PixelBox& box) const { return box.w * box.h * box.n * pairs_ * 4; }
  int64_t cost(int64_t slices, const Tile& tile, const PixelBox& box) const;
  Tile best_tile(int64_t slices) const;
  bool fits(const Tile& tile) const;

  Gpu& gpu_;
  ConvCall conv_;
  int64_t patch_, pairs_;
  bool adds_up_;
  ConvOperands operands_;
  int64_t parts_ = 1;
  DepthwiseBoxArguments arguments_ = {};
  Launch launch_;
  PixelMap source_;
};

}  // namespace kiln::cuda::kernels
