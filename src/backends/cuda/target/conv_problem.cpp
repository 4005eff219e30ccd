// What the tactics of convolutions and products share.
#include "backends/cuda/target/conv_problem.h"

#include <algorithm>

#include "backends/cuda/target/checks.h"
#include "base/checked.h"
#include "base/error.h"

namespace kiln::cuda {
namespace {

Refusal accept_type(const Problem& p, const Argument& weights) {
  const DType type = p.input(0).dtype;
  const bool casts = p.op() == "CastConv" && type == DType::kF32;
  if (weights.dtype != type && !casts)
    return refuse("weights are " + std::string(name(weights.dtype)) + " and x " + std::string(name(type)));
  if (!weights.constant) return refuse("the weights are not constant");
  if (!is_kernel_float(weights.dtype)) return refuse("elements of type " + std::string(name(weights.dtype)));
  return accept();
}

}  // namespace

Refusal read_constant_conv(const Problem& p, TiledProblem& t) {
  const Argument &x = p.input(0), &w = p.input(1), &y = p.outputs[0];
  for (const Refusal& r : {accept_image(x, "x"), accept_image(y, "y"), accept_type(p, w)})
    if (r.refused()) return r;
  if (y.dtype != w.dtype) return refuse("the result is " + std::string(name(y.dtype)));
  if (!x.is_fixed(1) || !y.is_fixed(1)) return refuse("the number of channels is not constant");
  const Dims& dims = w.constant->dims();
  t.window = window_of(p, Ints(dims.begin() + 2, dims.end()));
  t.type = w.dtype;
  kernels::WeightView& v = t.weights;
  v.data = w.constant->data();
  v.bytes = bits(w.dtype) / 8;
  v.groups = p.attributes().integer("group", 1);
  v.columns = dims[0] / v.groups;
  v.channels = dims[1];
  v.taps = t.window.kernel[0] * t.window.kernel[1];
  v.tap_stride = 1;
  v.channel_stride = v.taps;
  v.column_stride = v.taps * v.channels;
  v.group_stride = v.column_stride * v.columns;
  if (v.taps * v.channels * v.columns == 0) return refuse("there are no weights");
  const Refusal r = p.node->base_input_count() > 2 ? add_bias(p, 2, 1, 1, t.epilogue) : accept();
  return r.refused() ? r : read_results(p, 1, t.epilogue, t.program);
}

namespace {

Refusal read_conv(const Problem& p, TiledProblem& t) {
  if (const Refusal r = read_constant_conv(p, t); r.refused()) return r;
  const Argument& y = p.outputs[0];
  if (!is_channels_last(y)) return refuse("y has layout " + to_string(y.layout) + ", needs channels last");
  const kernels::WeightView& v = t.weights;
  t.product = {element_count(y.opt) / std::max<int64_t>(y.opt[1], 1), v.columns,
               kernels::wgmma_chunks(v.taps, v.channels, v.bytes)};
  return accept();
}

Refusal read_product(const Problem& p, TiledProblem& t) {
  const bool gemm = p.op() == "Gemm";
  const Argument &a = p.input(0), &b = p.input(1), &y = p.outputs[0];
  if (const Refusal r = accept_type(p, b); r.refused()) return r;
  for (const Argument* argument : {&a, &b, &y})
    if (!argument->ranked || !argument->layout.is_row_major())
      return refuse("an operand has the layout " + to_string(argument->layout));
  if (y.dtype != a.dtype) return refuse("the result is " + std::string(name(y.dtype)));
  const Dims& dims = b.constant->dims();
  if (dims.size() < 2) return refuse("the right operand is a vector");
  if (std::any_of(dims.begin(), dims.end() - 2, [](int64_t d) { return d != 1; }))
    return refuse("the right operand has leading axes");
  if (dims.size() > std::max<size_t>(a.opt.size(), 2)) return refuse("the right operand has more axes than the left");
  if (gemm && p.attributes().integer("transA", 0) != 0) return refuse("a is transposed");
  if (gemm && p.attributes().real("alpha", 1.0) != 1) return refuse("alpha is not 1");
  const bool transposed = gemm && p.attributes().integer("transB", 0) != 0;
  const int64_t first = dims[dims.size() - 2], last = dims.back();
  t.matrix = true;
  t.type = a.dtype;
  kernels::WeightView& v = t.weights;
  v.data = b.constant->data();
  v.bytes = bits(a.dtype) / 8;
  v.channels = transposed ? last : first;
  v.columns = transposed ? first : last;
  v.channel_stride = transposed ? 1 : last;
  v.column_stride = transposed ? last : 1;
  if (v.channels * v.columns == 0) return refuse("there are no weights");
  t.product = {element_count(y.opt) / v.columns, v.columns, kernels::wgmma_chunks(1, v.channels, v.bytes)};
  const int column_axis = static_cast<int>(y.opt.size()) - 1;
  const bool has_c = gemm && p.node->base_input_count() > 2;
  const Refusal r = has_c ? add_bias(p, 2, column_axis, p.attributes().real("beta", 1.0), t.epilogue) : accept();
  return r.refused() ? r : read_results(p, column_axis, t.epilogue, t.program);
}

}  // namespace

Refusal read_exact(const Problem& p, TiledProblem& t) {
  const bool conv = p.op() == "Conv" || p.op() == "CastConv" || p.op() == "ScaledConv";
  return conv ? read_conv(p, t) : read_product(p, t);
}

Refusal read_tiled(const Problem& p, TiledProblem& t) {
  if (p.input(1).dtype == DType::kF32 && !p.tf32) return refuse("the bits of float32 that TF32 lacks are wanted");
  return read_exact(p, t);
}

bool keeps_pixels(const Problem& p, const TiledProblem& t) {
  const SlidingWindow& w = t.window;
  for (int axis : {0, 1})
    if (w.kernel[axis] != 1 || w.stride[axis] != 1 || w.begin[axis] != 0 || w.end[axis] != 0) return false;
  return is_channels_last(p.input(0));
}

TiledProblem tiled_problem(const Problem& p) {
  TiledProblem t;
  const Refusal r = read_exact(p, t);
  if (r.refused()) throw Error(Code::kInternal, "a product was not accepted").cause(r.reason);
  return t;
}

kernels::TiledParameters parameters_of(const TiledProblem& t) {
  return {{{t.window, t.weights.groups}, t.matrix}, t.epilogue.parameters};
}

}  // namespace kiln::cuda
