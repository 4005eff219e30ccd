// Kernel "conv_int8": convolution of bytes with signed bytes over two dimensions, channels last. What lies outside the image is zero.
#include "backends/cpu/device/kernels/byte_image.h"
#include "backends/onednn/device/convolution.h"
#include "backends/onednn/device/integer_sums.h"
#include "backends/onednn/device/registry.h"

namespace kiln::onednn {
namespace {

class ConvInt8 final : public IntegerSums {
 public:
  explicit ConvInt8(ConvInt8Parameters p) : IntegerSums(p.sums), window_(std::move(p.window)), groups_(p.groups) {}

 protected:
  Recipe describe(const KernelCall& call) const override {
    if (call.inputs.empty() || call.outputs.size() != 1 || window_.kernel.size() != 2)
      throw Error(Code::kMalformedPlan, "a convolution of bytes has other operands");
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    const auto in = cpu::kernels::image_of(x), out = cpu::kernels::image_of(y);
    if (x.rank != 4 || y.rank != 4 || !in || !out || !in->equidistant || !out->equidistant || in->batch != out->batch ||
        x.dims[1] % groups_ || y.dims[1] % groups_ || x.dims[1] == 0)
      throw Error(Code::kShapeMismatch, "operands of a convolution of bytes do not fit each other");
    Recipe r;
    r.source = Desc(dims_of(x), type_of_bytes(x),
                    Ints{in->image_stride, in->channel_stride, in->row_stride, in->pixel_stride});
    r.sums = Desc(dims_of(y), dnnl::memory::data_type::s32, dnnl::memory::format_tag::nhwc);
    Ints weights;
    if (groups_ > 1) weights.push_back(groups_);
    weights.insert(weights.end(), {y.dims[1] / groups_, x.dims[1] / groups_, window_.kernel[0], window_.kernel[1]});
    r.weights = Desc(weights, dnnl::memory::data_type::s8,
                     groups_ > 1 ? dnnl::memory::format_tag::abcde : dnnl::memory::format_tag::abcd);
    r.rows_of = cpu::kernels::pixels_of;
    r.rows = out->batch * out->height * out->width;
    r.columns = out->channels;
    r.stride = out->pixel_stride;
    const Pads pads = pads_of(window_, pixels_of(x), pixels_of(y));
    const Desc any(weights, dnnl::memory::data_type::s8, dnnl::memory::format_tag::any);
    const dnnl::convolution_forward::primitive_desc made(
        engine(), dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, r.source, any, r.sums,
        window_.strides, less_one(window_.dilations), pads.begin, pads.end, scratchpad_of_step(), true);
    if (made && is_exact(made)) r.primitive = made;
    return r;
  }

 private:
  Window window_;
  int64_t groups_;
};

}  // namespace

std::unique_ptr<Kernel> make_conv_int8(const Attributes& parameters) {
  return std::make_unique<ConvInt8>(read_parameters<ConvInt8Parameters>(parameters));
}

}  // namespace kiln::onednn
