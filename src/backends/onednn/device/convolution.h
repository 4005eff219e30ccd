// Convolutions and their transposes as kernels. Inputs: x, packed weights, bias, residual.
#pragma once
#include "backends/cpu/device/kernels/common.h"
#include "backends/onednn/device/primitive_kernel.h"
#include "backends/onednn/device/primitive_parameters.h"

namespace kiln::onednn {

// Do the elements lie as in dense_desc(dims, channels_last)? Strides of axes with one element do not matter.
inline bool lies_dense(const TensorView& v, bool channels_last) {
  const Ints dims = dims_of(v);
  const Ints wanted = strides(channels_last ? Layout::channels_last(v.rank) : Layout(), dims);
  for (size_t i = 0; i < dims.size(); ++i)
    if (dims[i] != 1 && v.strides[i] != wanted[i]) return false;
  return true;
}

// Shall the primitive take an image with channels last?
inline bool takes_channels_last(const TensorView& v, const Attempt& attempt) {
  return attempt.copied || lies_dense(v, true) || !lies_dense(v, false);
}

inline Operand image_operand(int argument, int input, const TensorView& v, bool channels_last) {
  Operand o{.argument = argument, .input = input, .primitive = dense_desc(dims_of(v), channels_last)};
  if (lies_dense(v, channels_last)) return o;
  o.lies = strided_desc(v);
  o.copy = o.primitive;
  return o;
}

// Sizes of the spatial axes.
inline Ints pixels_of(const TensorView& v) { return {v.dims + 2, v.dims + v.rank}; }

// What oneDNN counts from 0.
inline Ints less_one(Ints values) {
  for (int64_t& v : values) --v;
  return values;
}

// `Forward`: dnnl::convolution_forward, or dnnl::deconvolution_forward when `kTransposed`.
template <class Forward, bool kTransposed> class Convolution final : public PrimitiveKernel {
 public:
  explicit Convolution(ConvolutionParameters p)
      : PrimitiveKernel(std::move(p.primitive)),
        window_(std::move(p.window)),
        groups_(p.groups),
        epilogue_(p.epilogue) {}

 protected:
  Recipe describe(const KernelCall& call, const Attempt& attempt) const override {
    check(call);
    const TensorView &x = call.inputs[0], &bias = call.inputs[2], &residual = call.inputs[3], &y = call.outputs[0];
    const bool y_last = takes_channels_last(y, attempt);
    const Operand in = image_operand(DNNL_ARG_SRC, 0, x, takes_channels_last(x, attempt));
    const Operand out = image_operand(DNNL_ARG_DST, kResult, y, y_last);
    const Pads pads =
        kTransposed ? pads_of(window_, pixels_of(y), pixels_of(x)) : pads_of(window_, pixels_of(x), pixels_of(y));
    Recipe r;
    r.epilogue = split_epilogue(epilogue_, residual.present(), out.primitive, attempt.fused);
    const Desc weights(weight_dims(call), dnnl::memory::data_type::f32, dnnl::memory::format_tag::any);
    const Desc bias_desc = bias.present() ? dense_desc({y.dims[1]}) : Desc();
    const auto algorithm = kTransposed ? dnnl::algorithm::deconvolution_direct : dnnl::algorithm::convolution_direct;
    const typename Forward::primitive_desc made(
        engine(), dnnl::prop_kind::forward_inference, algorithm, in.primitive, weights, bias_desc, out.primitive,
        window_.strides, less_one(window_.dilations), pads.begin, pads.end, r.epilogue.attributes, true);
    if (!made) return r;
    r.primitive = made;
    r.operands = {
        in, {.argument = DNNL_ARG_WEIGHTS, .input = 1, .primitive = made.weights_desc(), .packed = true}, out};
    if (bias.present()) r.operands.push_back(bias_operand(bias, y.dims[1], 1, 0));
    if (residual.present()) r.operands.push_back(image_operand(r.epilogue.residual_argument, 3, residual, y_last));
    return r;
  }

  Desc plain_weights(const KernelCall& call) const override {
    const Ints dims = weight_dims(call);
    if (!kTransposed) return dense_desc(dims);
    // The operator's weights have the inputs outermost; here outputs come first.
    const size_t out = groups_ > 1 ? 1 : 0;
    Ints turned = dims;
    std::swap(turned[out], turned[out + 1]);
    Ints own = row_major_strides(turned);
    std::swap(own[out], own[out + 1]);
    return Desc(dims, dnnl::memory::data_type::f32, own);
  }

 private:
  void check(const KernelCall& call) const {
    if (call.inputs.size() != 4 || call.outputs.size() != 1)
      throw Error(Code::kMalformedPlan, "a convolution has four operands");
    const TensorView &x = call.inputs[0], &residual = call.inputs[3], &y = call.outputs[0];
    require_floats(x, "the input");
    require_floats(y, "the result");
    const auto rank = static_cast<int>(window_.kernel.size()) + 2;
    if (x.rank != rank || y.rank != rank || x.dims[0] != y.dims[0] || x.dims[1] % groups_ || y.dims[1] % groups_)
      throw Error(Code::kShapeMismatch, "operands of a convolution do not fit each other");
    require_packed(call, weight_dims(call));
    if (!residual.present()) return;
    require_floats(residual, "the sum");
    if (!same_dims(residual, y)) throw Error(Code::kShapeMismatch, "the sum has another shape");
  }

  // [groups,] outputs, inputs, kernel.
  Ints weight_dims(const KernelCall& call) const {
    Ints dims;
    if (groups_ > 1) dims.push_back(groups_);
    for (const TensorView& side : {call.outputs[0], call.inputs[0]}) dims.push_back(side.dims[1] / groups_);
    for (int64_t k : window_.kernel) dims.push_back(k);
    return dims;
  }

  Window window_;
  int64_t groups_;
  cpu::kernels::EpilogueParameters epilogue_;
};

}  // namespace kiln::onednn
