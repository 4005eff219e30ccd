// Kernel "deform_conv": convolution of images whose taps are moved by offsets, and weighted by a mask. Inputs: x, w, offset, bias, mask;
// the last two may be absent. float32, float16 and bfloat16; sums are float32.
#include "backends/cuda/device/cu/deform_conv.h"

#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/own_parameters.h"
#include "backends/cuda/device/kernels/registry.h"
#include "base/checked.h"
#include "device/conv_parameters.h"

namespace kiln::cuda::kernels {
namespace {

class DeformConv final : public DenseKernel {
 public:
  DeformConv(Gpu& gpu, const DeformConvParameters& p) : DenseKernel(gpu), p_(p) {
    if (const char* longer = p.longer_than(kMostDeformExtent))
      throw malformed_parameter(longer, "has an element beyond " + std::to_string(kMostDeformExtent));
  }

 private:
  Status check(const KernelCall& call) const {
    if (call.inputs.size() != 5 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "deform_conv has five operands and one result"};
    const TensorView &x = call.inputs[0], &w = call.inputs[1], &offset = call.inputs[2], &bias = call.inputs[3],
                     &mask = call.inputs[4], &y = call.outputs[0];
    if (!float_suffix(x.dtype)) return {Code::kMalformedPlan, "deform_conv has no such type"};
    for (const TensorView* v : {&x, &w, &offset, &bias, &mask, &y})
      if (v->present() && (v->dtype != x.dtype || v->rank != (v == &bias ? 1 : 4)))
        return {Code::kMalformedPlan, "the operands of deform_conv are images of one type"};
    const int64_t taps = w.dims[2] * w.dims[3];
    const auto has_images = [&](const TensorView& v, int64_t channels) {
      return v.dims[0] == x.dims[0] && v.dims[1] == channels && v.dims[2] == y.dims[2] && v.dims[3] == y.dims[3];
    };
    if (x.dims[1] != w.dims[1] * p_.groups || w.dims[0] % p_.groups != 0 || x.dims[1] % p_.offset_groups != 0 ||
        !has_images(y, w.dims[0]) || !has_images(offset, 2 * taps * p_.offset_groups) ||
        (mask.present() && !has_images(mask, taps * p_.offset_groups)) || (bias.present() && bias.dims[0] != w.dims[0]))
      return {Code::kShapeMismatch, "the operands of deform_conv do not fit each other"};
    return kOkStatus;
  }

  Status prepare_dense(const KernelCall& call) override {
    KILN_RETURN_IF_ERROR(check(call));
    const TensorView &x = call.inputs[0], &w = call.inputs[1], &y = call.outputs[0];
    const int64_t places = y.dims[2] * y.dims[3], taps = w.dims[2] * w.dims[3], columns = w.dims[0] / p_.groups,
                  column_tiles = ceil_div(columns, kDeformColumns);
    const auto blocks = checked_mul(column_tiles, p_.groups), terms = checked_mul(w.dims[1], taps);
    if (!blocks || *blocks > UINT16_MAX || x.dims[0] > UINT16_MAX || !terms || *terms > INT32_MAX ||
        places > INT32_MAX || x.dims[2] > INT32_MAX / 4 || x.dims[3] > INT32_MAX / 4)
      return {Code::kUnsupported, "a convolution is too large for the kernel of moved taps"};
    DeformArguments& a = arguments_;
    a = {};
    a.channels = static_cast<uint32_t>(w.dims[1]);
    a.columns = static_cast<uint32_t>(columns);
    a.groups = static_cast<uint32_t>(p_.groups);
    a.terms = static_cast<uint32_t>(*terms);
    a.places = static_cast<uint32_t>(places);
    a.height = static_cast<int32_t>(x.dims[2]);
    a.width = static_cast<int32_t>(x.dims[3]);
    const auto narrow = [](int64_t n) { return static_cast<int32_t>(n); };
    a.stride_h = narrow(p_.strides[0]), a.stride_w = narrow(p_.strides[1]);
    a.dilation_h = narrow(p_.dilations[0]), a.dilation_w = narrow(p_.dilations[1]);
    a.top = narrow(p_.pads[0]), a.left = narrow(p_.pads[1]);
    a.column_tiles = divisor(column_tiles);
    a.out_width = divisor(y.dims[3]);
    a.taps = divisor(taps);
    a.taps_w = divisor(w.dims[3]);
    a.offset_channels = divisor(x.dims[1] / p_.offset_groups);
    a.offset_groups = static_cast<uint32_t>(p_.offset_groups);
    launch_ = {gpu_.function("deform_conv", "deform_conv" + std::string(float_suffix(x.dtype)))};
    launch_.grid = {blocks_for(places, kDeformPlaces), static_cast<unsigned>(*blocks),
                    static_cast<unsigned>(x.dims[0])};
    launch_.threads = kDeformThreads;
    return kOkStatus;
  }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    DeformArguments& a = arguments_;
    a.x = call.inputs[0].data;
    a.w = call.inputs[1].data;
    a.offset = call.inputs[2].data;
    a.bias = call.inputs[3].data;
    a.mask = call.inputs[4].data;
    a.y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, a);
  }

  DeformConvParameters p_;
  DeformArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_deform_conv(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<DeformConv>(gpu, read_parameters<DeformConvParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
