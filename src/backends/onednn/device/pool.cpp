// Kernel "pool": mean of windows over one to three dimensions.
#include <limits>

#include "backends/cpu/device/kernels/common.h"
#include "backends/onednn/device/convolution.h"
#include "backends/onednn/device/registry.h"

namespace kiln::onednn {
namespace {

// A window over the whole image of `n` dimensions.
Window whole_window(const Ints& pixels) {
  const Ints ones(pixels.size(), 1), zeros(pixels.size(), 0);
  return {.kernel = pixels, .strides = ones, .dilations = ones, .begin = zeros, .output_padding = zeros};
}

class Pool final : public PrimitiveKernel {
 public:
  explicit Pool(MeanParameters p)
      : PrimitiveKernel(std::move(p.primitive)),
        algorithm_(p.count_padding ? dnnl::algorithm::pooling_avg_include_padding
                                   : dnnl::algorithm::pooling_avg_exclude_padding),
        window_(std::move(p.window)) {}

  Status prepare(const KernelCall& call) noexcept override {
    of_nothing_ = call.inputs.size() == 1 && call.outputs.size() == 1 && call.inputs[0].elements() == 0 &&
                  call.outputs[0].elements() > 0;
    if (!of_nothing_) return PrimitiveKernel::prepare(call);
    return guarded([&]() -> Status { return require_floats(call.outputs[0], "the result"), kOkStatus; });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    if (!of_nothing_) return PrimitiveKernel::launch(stream, call);
    const float mean =
        algorithm_ == dnnl::algorithm::pooling_avg_include_padding ? 0.0f : std::numeric_limits<float>::quiet_NaN();
    const TensorView& y = call.outputs[0];
    for (int64_t i = 0, n = y.elements(); i < n; ++i) {
      int64_t rest = i, at = 0;
      for (int axis = y.rank; axis-- > 0; rest /= y.dims[axis]) at += rest % y.dims[axis] * y.strides[axis];
      static_cast<float*>(y.data)[at] = mean;
    }
    return kOkStatus;
  }

 protected:
  Recipe describe(const KernelCall& call, const Attempt& attempt) const override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1)
      throw Error(Code::kMalformedPlan, "a pooling has one operand and one result");
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    require_floats(x, "the input");
    require_floats(y, "the result");
    if (x.rank < 3 || x.rank > 5 || y.rank != x.rank || x.dims[0] != y.dims[0] || x.dims[1] != y.dims[1])
      throw Error(Code::kShapeMismatch, "operands of a pooling do not fit each other");
    const Window window = window_.value_or(whole_window(pixels_of(x)));
    if (window.kernel.size() + 2 != static_cast<size_t>(x.rank))
      throw Error(Code::kShapeMismatch, "a window has another rank than its image");
    const Pads pads = pads_of(window, pixels_of(x), pixels_of(y));
    const bool last = takes_channels_last(x, attempt);  // of both: oneDNN pools within one layout
    Recipe r;
    const Operand in = image_operand(DNNL_ARG_SRC, 0, x, last), out = image_operand(DNNL_ARG_DST, kResult, y, last);
    r.epilogue.attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::pooling_forward::primitive_desc made(
        engine(), dnnl::prop_kind::forward_inference, algorithm_, in.primitive, out.primitive, window.strides,
        window.kernel, less_one(window.dilations), pads.begin, pads.end, r.epilogue.attributes, true);
    if (!made) return r;
    r.primitive = made;
    r.operands = {in, out};
    return r;
  }

 private:
  dnnl::algorithm algorithm_;
  std::optional<Window> window_;  // nothing: the whole image
  bool of_nothing_ = false;
};

}  // namespace

std::unique_ptr<Kernel> make_pool(const Attributes& parameters) {
  return std::make_unique<Pool>(read_parameters<MeanParameters>(parameters));
}

}  // namespace kiln::onednn
