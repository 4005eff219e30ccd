// Kernel "skinny": products of few rows, and convolutions of a pixel with a pixel as such, of float32, float16 or bfloat16. Inputs: x,
// weights packed by pack_mma_weights, bias, residual; a program for the results, where there is one.
#include "backends/cuda/device/cu/skinny.h"

#include "backends/cuda/device/kernels/conv_boxes.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

class SkinnyProduct final : public Kernel {
 public:
  SkinnyProduct(Gpu& gpu, const TiledParameters& p) : gpu_(gpu), conv_(gpu, p, ConvCall::Source::kAnywhere, true) {
    p.require_one_group();
    if (p.taps() != 1) throw malformed_parameter("kernel", "has several elements").cause("the kernel takes one");
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(conv_.read(call, operands_));
      ConvOperands& o = operands_;
      if (call.inputs[1].elements() != mma_weight_elements(1, o.geometry.columns, 1, o.channels, o.bytes))
        return {Code::kShapeMismatch, "packed weights have another size"};
      if (!flatten_when_flat(o)) return {Code::kMalformedPlan, "the pixels of the result are not those of the source"};
      const int64_t lanes = kPiece / o.bytes, rows = o.out.width;
      SkinnyArguments& a = arguments_;
      a = {};
      a.from_row = o.in.pixel_stride;
      a.to_row = o.out.pixel_stride;
      a.rows = static_cast<uint32_t>(rows);
      a.columns = o.geometry.columns;
      a.terms = static_cast<uint32_t>(o.channels);
      a.words = static_cast<uint32_t>(ceil_div(o.channels, lanes));
      a.weights_are_constant = call.inputs[1].host != nullptr;
      source_in_words_ = o.in.pixel_stride % lanes == 0;
      const int64_t at_once = rows == 1 ? 1 : kSkinnyRows;
      if (ceil_div(rows, at_once) > UINT16_MAX)
        return {Code::kUnsupported, "a product has too many rows for its kernel"};
      launch_.function = gpu_.function(module_of("skinny", call),
                                       "skinny" + std::string(float_suffix(o.type)) + "_" + std::to_string(at_once));
      launch_.grid = {blocks_for(a.columns, kSkinnyWarps), blocks_for(rows, at_once), 1};
      launch_.threads = kSkinnyThreads;
      return kOkStatus;
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    arguments_.x = call.inputs[0].data;
    arguments_.weights = call.inputs[1].data;
    arguments_.y = call.outputs[0].data;
    KILN_RETURN_IF_ERROR(conv_.place_epilogue(operands_, call, arguments_.epilogue));
    arguments_.source_in_words = source_in_words_ && is_aligned(arguments_.x, kPiece);
    if (!is_aligned(arguments_.weights, kPiece))
      return {Code::kInvalidArgument, "the weights of a product do not lie at a multiple of 16 bytes"};
    return gpu_.launch(stream, launch_, arguments_);
  }

 private:
  Gpu& gpu_;
  ConvCall conv_;
  ConvOperands operands_;
  SkinnyArguments arguments_ = {};
  bool source_in_words_ = false;
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_skinny(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<SkinnyProduct>(gpu, read_parameters<TiledParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
