// Tactics: products and convolutions of bytes with sums in int32 by oneDNN, where it adds them exactly.
#include "backends/cpu/target/onednn/onednn.h"
#include "backends/cpu/target/quantize/byte_products.h"
#include "backends/cpu/target/tactics.h"
#include "base/error.h"

namespace kiln::cpu::tactics {
namespace {

bool has_padding(const Problem& p) {
  const Attributes& a = p.attributes();
  const std::string padding = a.text("auto_pad", "NOTSET");
  if (padding == "SAME_UPPER" || padding == "SAME_LOWER") return true;
  const Ints pads = a.ints("pads", {});
  return std::any_of(pads.begin(), pads.end(), [](int64_t v) { return v != 0; });
}

// Their padding is zero, weights are signed bytes, and sizes are those for which oneDNN was asked: for others it may add in another way.
Refusal read_onednn_bytes(const Problem& p, ByteProblem& bytes) {
  const bool conv = p.op() == "ConvInteger";
  if (const Refusal r = conv ? read_conv_int8(p, bytes) : read_gemm_int8(p, bytes); r.refused()) return r;
  if (!p.input(0).is_static) return refuse("the sizes of x vary");
  if (conv && p.input(0).opt.size() != 4) return refuse("the images have not two spatial dimensions");
  if (int8_parts(bytes) != 1) return refuse("the weights are no signed bytes");
  if (conv && has_padding(p) && (bytes.x_zero != 0 || bytes.x_zero_input >= 0))
    return refuse("the padding of x is not zero");
  return accept();
}

// The step without its weights.
Emitted step_on_bytes(const Problem& p, const ByteProblem& bytes) {
  const Dims& w = p.input(1).constant->dims();
  const bool conv = p.op() == "ConvInteger";
  const SumFields sums = stored_sums(bytes.parameters);
  Emitted e = conv ? emit_onednn("conv_int8",
                                 onednn::ConvInt8Parameters{
                                     .window = onednn_window(p, Ints(w.begin() + 2, w.end())),
                                     .groups = p.attributes().integer("group", 1),
                                     .sums = sums,
                                 },
                                 {0, Emitted::kAbsent})
                   : emit_onednn("matmul_int8", onednn::MatMulInt8Parameters{sums}, {0, Emitted::kAbsent});
  emit_sums(bytes, conv ? conv_column_sums(bytes, w[0]) : gemm_column_sums(bytes, w[1]), 0, e);
  return e;
}

Refusal accepts_onednn_bytes(const Problem& p) {
  ByteProblem bytes(kSumForm);
  if (const Refusal r = read_onednn_bytes(p, bytes); r.refused()) return r;
  return accept_onednn(p, step_on_bytes(p, bytes));
}

Emitted emit_onednn_bytes(const Problem& p, const Config&) {
  ByteProblem bytes(kSumForm);
  if (const Refusal r = read_onednn_bytes(p, bytes); r.refused())
    throw Error(Code::kInternal, "a product of bytes was not accepted").cause(r.reason);
  Emitted e = step_on_bytes(p, bytes);
  e.inputs[1] = add_constant(e, Tensor::of<int8_t>({static_cast<int64_t>(bytes.weights.size())},
                                                   {bytes.weights.begin(), bytes.weights.end()}));
  return e;
}

}  // namespace

const Tactic onednn_conv_int8{
    .name = "onednn_conv_int8",
    .version = 1,
    .ops = {"ConvInteger"},
    .device = kOnednn,
    .accepts = accepts_onednn_bytes,
    .configurations = nullptr,
    .emit = emit_onednn_bytes,
};

const Tactic onednn_matmul_int8{
    .name = "onednn_matmul_int8",
    .version = 1,
    .ops = {"MatMulInteger"},
    .device = kOnednn,
    .accepts = accepts_onednn_bytes,
    .configurations = nullptr,
    .emit = emit_onednn_bytes,
};

}  // namespace kiln::cpu::tactics
