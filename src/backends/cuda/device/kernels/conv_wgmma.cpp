// Kernel "conv_wgmma": convolutions and products on tensor cores of compute capability 9.0. Inputs: x, weights packed by
// pack_wgmma_weights, bias, residual; a program for the results, where there is one.
#include "backends/cuda/device/kernels/conv_boxes.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

class ConvWgmma final : public BoxKernel<ConvWgmmaArguments> {
 public:
  ConvWgmma(Gpu& gpu, const ConvWgmmaParameters& p) : BoxKernel(gpu, p.conv, true), choice_(p.choice) {
    if (shared_bytes() > gpu.chip().shared_per_block)
      throw Error(Code::kMalformedPlan, "the stages of a tile take " + std::to_string(shared_bytes()) +
                                            " bytes, a block has " + std::to_string(gpu.chip().shared_per_block));
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(conv_.read(call, operands_));
      ConvOperands& o = operands_;
      (void)flatten_when_flat(o);
      ConvWgmmaArguments& a = arguments_;
      a = {};
      PixelBox box;
      KILN_RETURN_IF_ERROR(plan_boxes(conv_, call, o, tile(), choice_.splits, gpu_.chip(), box, a));
      if (a.chunks < choice_.splits)
        return {Code::kMalformedPlan, "the terms of a convolution are fewer than the blocks that share them"};
      // A stage is given back while the next chunk is multiplied.
      if (choice_.stages == 1 && a.chunks > choice_.splits)
        return {Code::kMalformedPlan, "one stage is too few for several chunks of terms"};
      source_.plan(o.in, o.channels, o.type, box, a.g.stride_w, a.g.stride_h);
      plan_group_launch(gpu_, module_of("conv_wgmma", call), "conv_wgmma", choice_, o, box, shared_bytes(), a, launch_);
      return kOkStatus;
    });
  }

 private:
  const GroupTile& tile() const { return kGroupTiles[choice_.tile]; }
  // The stages, and the sums that the blocks of a cluster send each other.
  int64_t shared_bytes() const {
    const int64_t parts = choice_.splits > 1 ? int64_t{tile().rows()} * tile().columns * 4 : 0;
    return kSlack + choice_.stages * tile().stage() + parts;
  }

  GroupChoice choice_;
};

}  // namespace

std::unique_ptr<Kernel> make_conv_wgmma(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ConvWgmma>(gpu, read_parameters<ConvWgmmaParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
