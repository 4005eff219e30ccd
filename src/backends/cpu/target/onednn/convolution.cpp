// What the tactics of convolutions and their transposes by oneDNN share.
#include "backends/cpu/target/onednn/convolution.h"

#include "base/error.h"

namespace kiln::cpu {
namespace {

Refusal read_sums(const Problem& p, FusedEpilogue& epilogue) {
  const Refusal r = p.node->base_input_count() > 2 ? add_bias(p, 2, 1, 1, epilogue) : accept();
  return r.refused() ? r : read_epilogue(p, 1, epilogue);
}

// The step; its weights are not packed yet.
Emitted unpacked(const Problem& p, const FusedEpilogue& epilogue, const onednn::PrimitiveParameters& primitive) {
  const Dims& w = p.input(1).constant->dims();
  Emitted e = emit_onednn(p.op() == "Conv" ? "conv" : "deconv",
                          onednn::ConvolutionParameters{
                              .primitive = primitive,
                              .window = onednn_window(p, Ints(w.begin() + 2, w.end())),
                              .groups = p.attributes().integer("group", 1),
                              .epilogue = epilogue.parameters,
                          },
                          {0, Emitted::kAbsent});
  emit_epilogue_inputs(epilogue, e);
  return e;
}

}  // namespace

Refusal accept_onednn_convolution(const Problem& p) {
  for (const Refusal& r : {accept_onednn_image(p.input(0), "x"), accept_onednn_image(p.outputs[0], "y")})
    if (r.refused()) return r;
  if (!p.input(1).constant || p.input(1).dtype != DType::kF32) return refuse("the weights are not constant float32");
  if (!p.input(0).is_static && !p.attributes().ints("output_shape", {}).empty())
    return refuse("output_shape of varying images: their padding may be negative");
  FusedEpilogue epilogue;
  if (const Refusal r = read_sums(p, epilogue); r.refused()) return r;
  return accept_onednn(p, unpacked(p, epilogue, {}));
}

Emitted emit_onednn_convolution(const Problem& p, const Config& config) {
  FusedEpilogue epilogue;
  if (const Refusal r = read_sums(p, epilogue); r.refused())
    throw Error(Code::kInternal, "a convolution was not accepted").cause(r.reason);
  Emitted e = unpacked(p, epilogue, read_parameters<onednn::PrimitiveParameters>(config));
  pack_onednn(p, e, p.input(1).constant->data());
  return e;
}

}  // namespace kiln::cpu
