// Kernel "conv_half": convolution of float16 or bfloat16, channels last, whose lines become float32 a band at a time and whose sums are rounded
// once. Inputs: x, packed weights, bias, residual; x may lie otherwise. Parameter `way`: as a product by weights of float32, float16 or
// bfloat16; or by weights of float32 as "conv_depthwise" or "conv_winograd" does it.
#include "backends/cpu/device/compute/conv_depthwise.h"
#include "backends/cpu/device/compute/winograd.h"
#include "backends/cpu/device/kernels/conv_call.h"
#include "backends/cpu/device/kernels/conv_parameters.h"
#include "backends/cpu/device/kernels/half_operands.h"
#include "backends/cpu/device/kernels/registry.h"
#include "base/checked.h"

namespace kiln::cpu::kernels {
namespace {

class ConvHalf final : public Kernel {
 public:
  explicit ConvHalf(const ConvHalfParameters& p) : parameters_(p.conv), blocks_(p.blocks), way_(p.way) {}

  Status prepare(const KernelCall& call) noexcept override {
    KILN_RETURN_IF_ERROR(read(call));
    if (call.inputs[1].elements() != weights()) return {Code::kShapeMismatch, "packed weights have another size"};
    if (workspace(call) > call.workspace_size)
      return {Code::kMalformedPlan, "the workspace of a convolution is too small"};
    return kOkStatus;
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    const TensorView &x = call.inputs[0], &w = call.inputs[1], &residual = call.inputs[3];
    const ImageView& in = operands_.in;
    const HalfOperands operands{.type = x.dtype,
                                .x = {halves(x), in.image_stride, in.row_stride, in.pixel_stride, in.channel_stride},
                                .residual = residual.present() ? halves(residual) : nullptr,
                                .residual_stride = operands_.residual_stride,
                                .y = static_cast<uint16_t*>(call.outputs[0].data)};
    const Epilogue epilogue = make_epilogue(parameters_.epilogue, call.inputs[2], {}, 0);
    auto* space = static_cast<float*>(call.workspace);
    float* const inner = space + bands_.floats();
    bands_.run(operands, space, [&](const Band& band) {
      run_band(band, w, epilogue_of_band(epilogue, band), inner + band.part * inner_floats_);
    });
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    if (!read(call).ok()) return kNoWorkspace;
    return static_cast<size_t>(bands_.floats() + inner_floats_ * bands_.parts()) * sizeof(float);
  }

 private:
  bool is_minimal() const { return way_ == HalfWay::kMinimal2 || way_ == HalfWay::kMinimal4; }
  WinogradConfig winograd(const BlockConfig& blocks) const { return {way_ == HalfWay::kMinimal2 ? 2 : 4, blocks}; }

  int64_t weights() const {
    const ConvShape& s = operands_.shape;
    if (way_ == HalfWay::kDepthwise) return s.kernel_h * s.kernel_w * s.in_c;
    return is_minimal() ? packed_winograd_floats(s, winograd(blocks_)) : packed_conv_floats(s);
  }

  void run_band(const Band& band, const TensorView& w, const Epilogue& epilogue, float* space) const noexcept {
    const ConvShape& s = band.shape;
    const auto* floats = static_cast<const float*>(w.data);
    if (way_ == HalfWay::kProduct) {
      conv_nhwc(s, band.x, {w.data, w.dtype}, band.y, epilogue, own_blocks_, space);
    } else if (is_minimal()) {
      winograd_nhwc(s, band.x, floats, band.y, epilogue, winograd(own_blocks_), space);
    } else {
      const DepthwiseShape shape{
          s.batch,
          s.in_h,
          s.in_w,
          s.in_c,
          s.out_h(),
          s.out_w(),
          {s.kernel_h, s.kernel_w, s.stride_h, s.stride_w, s.dilation_h, s.dilation_w, s.pad_top, s.pad_left}};
      conv_depthwise(shape, band.x, dense_pixels(s.in_h, s.in_w, s.in_c), floats, band.y,
                     dense_pixels(s.out_h(), s.out_w(), s.out_c), epilogue, own_blocks_.row_threads);
    }
  }

  Status read(const KernelCall& call) noexcept {
    if (call.inputs.empty() || !is_half(call.inputs[0]))
      return {Code::kMalformedPlan, "a convolution in 16 bits has no image of float16 or bfloat16"};
    KILN_RETURN_IF_ERROR(read_operands(parameters_, call, operands_, way_ == HalfWay::kProduct, call.inputs[0].dtype));
    const ConvShape& s = operands_.shape;
    if (is_minimal() && !winograd_accepts(s)) return {Code::kMalformedPlan, "no convolution for minimal filtering"};
    if (way_ == HalfWay::kDepthwise && (s.groups != s.in_c || s.out_c != s.in_c))
      return {Code::kMalformedPlan, "no convolution of single channels"};
    cut(call.inputs[3].present(), call.inputs[1].dtype);
    return kOkStatus;
  }

  void cut(bool residual, DType weights) noexcept {
    const ConvShape& s = operands_.shape;
    BlockConfig blocks = blocks_;
    if (way_ == HalfWay::kDepthwise) {
      const double sums = static_cast<double>(s.batch * s.out_h() * s.out_w()) * static_cast<double>(s.out_c);
      blocks.row_threads = useful_threads(thread_count(), 0.2 * sums);
      blocks.column_threads = 1;
    }
    const bool whole = takes_whole(s, blocks);
    BandConfig config{.threads = blocks.row_threads * blocks.column_threads, .whole = whole, .residual = residual};
    if (way_ == HalfWay::kProduct) config.pixels = blocks.block_rows;
    if (is_minimal()) {
      config.step = winograd(blocks).tile;
      config.pixels = config.step * config.step * blocks.block_rows;
    }
    own_blocks_ = blocks_of_band(blocks, whole);
    bands_ = HalfBands(s, config);
    const ConvShape largest = bands_.largest();
    inner_floats_ = 0;
    if (way_ == HalfWay::kProduct) inner_floats_ = align_up(conv_workspace(largest, own_blocks_, weights), 16);
    if (is_minimal()) inner_floats_ = align_up(winograd_workspace(largest, winograd(own_blocks_)), 16);
  }

  ConvParameters parameters_;
  BlockConfig blocks_, own_blocks_;
  HalfWay way_;
  ConvOperands operands_;
  HalfBands bands_;
  int64_t inner_floats_ = 0;  // of scratch, for each band that is in the making
};

}  // namespace

std::unique_ptr<Kernel> make_conv_half(const Attributes& parameters) {
  return std::make_unique<ConvHalf>(read_parameters<ConvHalfParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
