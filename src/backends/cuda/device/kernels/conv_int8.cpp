// Kernel "conv_int8": convolutions and products of bytes on tensor cores of compute capability 8.0 and later, exact in int32, and the
// steps behind them. Inputs: x, weights packed by pack_mma_weights whose taps are those of all parts, then what SumCall has.
#include "backends/cuda/device/kernels/conv_call.h"
#include "backends/cuda/device/kernels/registry.h"
#include "backends/cuda/device/kernels/sum_call.h"

namespace kiln::cuda::kernels {
namespace {

class ConvInt8 final : public Kernel {
 public:
  ConvInt8(Gpu& gpu, const ConvInt8Parameters& p)
      : gpu_(gpu),
        conv_(gpu, {p.bytes.conv, {}}, ConvCall::Source::kBytes),
        sums_(p.bytes.sums, 2),
        tile_(p.choice.tile),
        splits_(p.choice.splits),
        parts_(p.parts) {
    if (!gpu.chip().has_cp_async()) throw Error(Code::kPlanDevice, "the kernel needs compute capability 8.0");
    if (splits_ > 1 && !gpu.chip().has_clusters())
      throw Error(Code::kPlanDevice, "clusters need compute capability 9.0");
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(conv_.read(call, operands_));
      const ConvOperands& o = operands_;
      const int64_t taps = conv_.parameters().taps() * parts_, groups = conv_.parameters().groups;
      if (call.inputs[1].elements() != mma_weight_elements(groups, o.geometry.columns, taps, o.channels, o.bytes))
        return {Code::kShapeMismatch, "packed weights have another size"};
      KILN_RETURN_IF_ERROR(
          sums_.prepare(call, o.out, o.geometry.columns, [&](const TensorView& v) { return conv_.image(v); }));
      const MmaTile& tile = kMmaTiles[tile_];
      arguments_ = {};
      plan_mma_tiles(o, groups, taps, tile, call.inputs[1].host != nullptr, arguments_, launch_);
      arguments_.tap_rows = FastDivisor::of(o.geometry.taps_h);
      arguments_.splits = divisor(splits_);
      if (arguments_.chunks > INT32_MAX / kMostMmaSplits)
        return {Code::kUnsupported, "a convolution of bytes has too many terms"};
      launch_.grid[0] = blocks_for(int64_t{launch_.grid[0]} * splits_, 1);
      launch_.cluster = static_cast<unsigned>(splits_);
      const std::string type = call.inputs[0].dtype == DType::kI8 ? "_i8_" : "_u8_";
      launch_.function = gpu_.function("conv_int8", "conv_int8" + type + std::to_string(tile_), tile.shared());
      return kOkStatus;
    });
  }

  size_t workspace(const KernelCall& call) noexcept override { return conv_.workspace(call); }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    KILN_RETURN_IF_ERROR(conv_.source(stream, operands_, call, arguments_.x));
    arguments_.weights = call.inputs[1].data;
    arguments_.y = call.outputs[0].data;
    arguments_.sums = sums_.arguments(call);
    return gpu_.launch(stream, launch_, arguments_);
  }

 private:
  Gpu& gpu_;
  ConvCall conv_;
  SumCall sums_;
  int64_t tile_, splits_, parts_;
  ConvOperands operands_;
  ConvInt8Arguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_conv_int8(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ConvInt8>(gpu, read_parameters<ConvInt8Parameters>(parameters));
}

}  // namespace kiln::cuda::kernels
