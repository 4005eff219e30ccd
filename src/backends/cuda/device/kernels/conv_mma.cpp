// Kernel "conv_mma": convolutions and products on tensor cores of compute capability 8.0 and later. Inputs: x, weights packed by
// pack_mma_weights, bias, residual; a program for the results, where there is one.
#include "backends/cuda/device/kernels/conv_call.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

class ConvMma final : public Kernel {
 public:
  ConvMma(Gpu& gpu, const ConvMmaParameters& p)
      : gpu_(gpu), conv_(gpu, p.conv, ConvCall::Source::kPieces, true), tile_(p.choice.tile), tf32_(p.tf32) {
    if (!gpu.chip().has_cp_async())
      throw Error(Code::kPlanDevice, "the kernel needs compute capability 8.0, this GPU has " +
                                         std::to_string(gpu.chip().compute / 10) + "." +
                                         std::to_string(gpu.chip().compute % 10));
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(conv_.read(call, operands_));
      const ConvOperands& o = operands_;
      const int64_t taps = conv_.parameters().taps(), groups = conv_.parameters().groups;
      if (call.inputs[1].elements() != mma_weight_elements(groups, o.geometry.columns, taps, o.channels, o.bytes))
        return {Code::kShapeMismatch, "packed weights have another size"};
      const MmaTile& tile = kMmaTiles[tile_];
      arguments_ = {};
      plan_mma_tiles(o, groups, taps, tile, call.inputs[1].host != nullptr, arguments_, launch_);
      const std::string type = tf32_ && o.type == DType::kF32 ? "_tf32" : float_suffix(o.type);
      launch_.function =
          gpu_.function(module_of("conv_mma", call), "conv_mma" + type + "_" + std::to_string(tile_), tile.shared());
      return kOkStatus;
    });
  }

  size_t workspace(const KernelCall& call) noexcept override { return conv_.workspace(call); }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    KILN_RETURN_IF_ERROR(conv_.source(stream, operands_, call, arguments_.x));
    arguments_.weights = call.inputs[1].data;
    arguments_.y = call.outputs[0].data;
    KILN_RETURN_IF_ERROR(conv_.place_epilogue(operands_, call, arguments_.epilogue));
    return gpu_.launch(stream, launch_, arguments_);
  }

 private:
  Gpu& gpu_;
  ConvCall conv_;
  int64_t tile_;
  bool tf32_;
  ConvOperands operands_;
  ConvMmaArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_conv_mma(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ConvMma>(gpu, read_parameters<ConvMmaParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
