// Kernel "conv_int8_any": convolutions and products of bytes of any groups and layouts, exact in int32, and the steps behind them. Inputs:
// x, weights in int16 packed as ConvInt8AnyArguments has them, then what SumCall has.
#include "backends/cuda/device/cu/conv_int8_any.h"

#include "backends/cuda/device/kernels/conv_call.h"
#include "backends/cuda/device/kernels/registry.h"
#include "backends/cuda/device/kernels/sum_call.h"

namespace kiln::cuda::kernels {
namespace {

class ConvInt8Any final : public Kernel {
 public:
  ConvInt8Any(Gpu& gpu, const ByteConvParameters& p)
      : gpu_(gpu), conv_(gpu, {p.conv, {}}, ConvCall::Source::kBytesAnywhere), sums_(p.sums, 2) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      ConvOperands o;
      KILN_RETURN_IF_ERROR(conv_.read(call, o));
      const int64_t columns = o.out.channels, padded = align_up(columns, kByteRun);
      const auto terms = checked_mul(conv_.parameters().taps(), o.channels);
      const auto weights = terms ? checked_mul(*terms, padded) : std::nullopt;
      if (!weights || call.inputs[1].elements() != *weights)
        return {Code::kShapeMismatch, "packed weights have another size"};
      KILN_RETURN_IF_ERROR(sums_.prepare(call, o.out, columns, [&](const TensorView& v) { return conv_.image(v); }));
      const int64_t runs = padded / kByteRun;
      if (o.out.pixels() > INT32_MAX / std::max<int64_t>(runs, 1))
        return {Code::kUnsupported, "the result of a convolution of bytes has too many elements"};
      ConvInt8AnyArguments& a = arguments_;
      a = {};
      a.g = o.geometry;
      a.from_channel = o.in.channel_stride;
      a.columns = static_cast<uint32_t>(columns);
      a.padded_columns = static_cast<uint32_t>(padded);
      a.threads = static_cast<uint32_t>(o.out.pixels() * runs);
      a.runs = divisor(runs);
      a.group_columns = FastDivisor::of(a.g.columns);
      const bool depthwise = a.g.columns == 1 && o.channels == 1;
      const auto whole = [](int64_t n) { return n % kByteRun == 0; };
      x_in_words_ = o.in.adjacent_channels() && whole(columns) && whole(o.in.pixel_stride) && whole(o.in.row_stride) &&
                    whole(o.in.batch_stride);
      const std::string groups = conv_.parameters().groups == 1 ? "one" : depthwise ? "depthwise" : "any";
      const std::string type = call.inputs[0].dtype == DType::kI8 ? "_i8" : "_u8";
      launch_.function = gpu_.function("conv_int8_any", "conv_int8_any_" + groups + type);
      launch_.threads = kByteThreads;
      launch_.grid[0] = blocks_for(a.threads, kByteThreads);
      return kOkStatus;
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    if (!is_aligned(call.inputs[1].data, kPiece))
      return {Code::kInvalidArgument, "the weights of a convolution do not lie at a multiple of 16 bytes"};
    arguments_.x = call.inputs[0].data;
    arguments_.weights = pointer_of<const int16_t>(call.inputs[1]);
    arguments_.y = call.outputs[0].data;
    arguments_.sums = sums_.arguments(call);
    arguments_.x_in_words = x_in_words_ && is_aligned(arguments_.x, kByteRun);
    return gpu_.launch(stream, launch_, arguments_);
  }

 private:
  Gpu& gpu_;
  ConvCall conv_;
  SumCall sums_;
  ConvInt8AnyArguments arguments_ = {};
  bool x_in_words_ = false;
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_conv_int8_any(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ConvInt8Any>(gpu, read_parameters<ByteConvParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
