// Kernel "deform_conv": convolution of images whose taps are moved by offsets, and weighted by a mask. Inputs: x, w, offset, bias, mask;
// the last two may be absent. Parameters: groups, offset_groups, strides, dilations, pads (top and left). float32, float16 and bfloat16;
// sums are float32.
#include "backends/cuda/device/cu/deform_conv.h"

#include <algorithm>
#include <array>

#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/registry.h"
#include "base/checked.h"
#include "device/parameters.h"

namespace kiln::cuda::kernels {
namespace {

std::array<int32_t, 2> read_pair(const Attributes& p, const char* name, int64_t least) {
  const Ints values = p.ints(name);
  if (values.size() != 2 ||
      std::any_of(values.begin(), values.end(), [&](int64_t v) { return v < least || v > INT16_MAX; }))
    throw Error(Code::kMalformedPlan,
                "parameter '" + std::string(name) + "' is no pair of sizes that the kernel takes");
  return {static_cast<int32_t>(values[0]), static_cast<int32_t>(values[1])};
}

class DeformConv final : public DenseKernel {
 public:
  DeformConv(Gpu& gpu, const Attributes& p)
      : DenseKernel(gpu),
        groups_(read_integer(p, "groups", 1, INT32_MAX)),
        offset_groups_(read_integer(p, "offset_groups", 1, INT32_MAX)),
        strides_(read_pair(p, "strides", 1)),
        dilations_(read_pair(p, "dilations", 1)),
        pads_(read_pair(p, "pads", INT16_MIN)) {}

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
    if (x.dims[1] != w.dims[1] * groups_ || w.dims[0] % groups_ != 0 || x.dims[1] % offset_groups_ != 0 ||
        !has_images(y, w.dims[0]) || !has_images(offset, 2 * taps * offset_groups_) ||
        (mask.present() && !has_images(mask, taps * offset_groups_)) || (bias.present() && bias.dims[0] != w.dims[0]))
      return {Code::kShapeMismatch, "the operands of deform_conv do not fit each other"};
    return kOkStatus;
  }

  Status prepare_dense(const KernelCall& call) override {
    KILN_RETURN_IF_ERROR(check(call));
    const TensorView &x = call.inputs[0], &w = call.inputs[1], &y = call.outputs[0];
    const int64_t places = y.dims[2] * y.dims[3], taps = w.dims[2] * w.dims[3], columns = w.dims[0] / groups_,
                  column_tiles = ceil_div(columns, kDeformColumns);
    const auto blocks = checked_mul(column_tiles, groups_), terms = checked_mul(w.dims[1], taps);
    if (!blocks || *blocks > UINT16_MAX || x.dims[0] > UINT16_MAX || !terms || *terms > INT32_MAX ||
        places > INT32_MAX || x.dims[2] > INT32_MAX / 4 || x.dims[3] > INT32_MAX / 4)
      return {Code::kUnsupported, "a convolution is too large for the kernel of moved taps"};
    const auto divisor = [](int64_t n) { return FastDivisor::of(static_cast<uint32_t>(n)); };
    DeformArguments& a = arguments_;
    a = {};
    a.channels = static_cast<uint32_t>(w.dims[1]);
    a.columns = static_cast<uint32_t>(columns);
    a.groups = static_cast<uint32_t>(groups_);
    a.terms = static_cast<uint32_t>(*terms);
    a.places = static_cast<uint32_t>(places);
    a.height = static_cast<int32_t>(x.dims[2]);
    a.width = static_cast<int32_t>(x.dims[3]);
    a.stride_h = strides_[0], a.stride_w = strides_[1];
    a.dilation_h = dilations_[0], a.dilation_w = dilations_[1];
    a.top = pads_[0], a.left = pads_[1];
    a.column_tiles = divisor(column_tiles);
    a.out_width = divisor(y.dims[3]);
    a.taps = divisor(taps);
    a.taps_w = divisor(w.dims[3]);
    a.offset_channels = divisor(x.dims[1] / offset_groups_);
    a.offset_groups = static_cast<uint32_t>(offset_groups_);
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

  int64_t groups_, offset_groups_;
  std::array<int32_t, 2> strides_, dilations_, pads_;
  DeformArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_deform_conv(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<DeformConv>(gpu, parameters);
}

}  // namespace kiln::cuda::kernels
