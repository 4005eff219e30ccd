// What the convolution tactics share.
#include "backends/cpu/target/conv/conv_problem.h"

#include "backends/cpu/target/checks.h"
#include "base/error.h"

namespace kiln::cpu {

Refusal read_conv(const Problem& p, ConvProblem& conv, DType type) {
  const Argument &x = p.input(0), &w = p.input(1), &y = p.outputs[0];
  for (const Refusal& r : {accept_image(x, "x", type), accept_channels_last(y, "y", type)})
    if (r.refused()) return r;
  if (!w.is_static || w.dtype != type || !w.layout.is_row_major())
    return refuse("the weights are " + std::string(name(w.dtype)) + to_string(w.opt) + ", needs " +
                  std::string(name(type)) + " of a fixed shape");
  if (!x.is_fixed(1) || !y.is_fixed(1)) return refuse("the number of channels is not constant");
  conv.window = window_of(p, Ints(w.opt.begin() + 2, w.opt.end()));
  conv.groups = p.attributes().integer("group", 1);
  if (x.opt[1] != w.opt[1] * conv.groups || y.opt[1] != w.opt[0])
    return refuse("weights of shape " + to_string(w.opt) + " for images " + to_string(x.opt) + " and " +
                  to_string(y.opt));
  if (w.constant && type == DType::kF32) conv.weights = w.constant->as<float>().data();
  conv.shape = conv_shape(conv.window, conv.groups, image_of(x.opt), image_of(y.opt));
  const Refusal r = p.node->base_input_count() > 2 ? add_bias(p, 2, 1, 1, conv.epilogue) : accept();
  return r.refused() ? r : read_epilogue(p, 1, conv.epilogue);
}

Refusal read_constant_conv(const Problem& p, ConvProblem& conv) {
  const Refusal r = read_conv(p, conv);
  return r.refused() || conv.weights ? r : refuse("the weights are not constant");
}

Refusal accept_depthwise(const ConvShape& s) {
  if (s.groups == s.in_c && s.out_c == s.in_c) return accept();
  return refuse("there are " + std::to_string(s.groups) + " groups of " + std::to_string(s.in_c) + " inputs and " +
                std::to_string(s.out_c) + " outputs, needs as many as either");
}

ConvProblem conv_problem(const Problem& p, DType type) {
  ConvProblem conv;
  const Refusal r = read_conv(p, conv, type);
  if (r.refused()) throw Error(Code::kInternal, "a convolution was not accepted").cause(r.reason);
  return conv;
}

ConvParameters parameters_of(const ConvProblem& conv) { return {{conv.window, conv.groups}, conv.epilogue.parameters}; }

Emitted emit_conv(const ConvProblem& conv, std::string kernel, std::optional<Tensor> packed, Attributes parameters) {
  Emitted e = emit_kernel(std::move(kernel), std::move(parameters), {0});
  e.inputs.push_back(packed ? add_constant(e, std::move(*packed)) : 1);
  emit_epilogue_inputs(conv.epilogue, e);
  return e;
}

}  // namespace kiln::cpu
