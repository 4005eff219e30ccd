// Tactics: QuantizeLinear and DequantizeLinear as pointwise programs; DynamicQuantizeLinear.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/quantize_program.h"

namespace kiln::cpu::tactics {

const Tactic quantize{
    .name = "quantize",
    .version = 1,
    .ops = {"QuantizeLinear", "DequantizeLinear"},
    .accepts = accept_quantize,
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          Emitted e = emit_kernel("pointwise", {}, {});
          emit_quantize(p, e);
          return e;
        },
};

const Tactic dynamic_quantize{
    .name = "dynamic_quantize",
    .version = 1,
    .ops = {"DynamicQuantizeLinear"},
    .accepts = [](const Problem& p) -> Refusal { return needs_f32(p); },
    .configurations = nullptr,
    .emit = [](const Problem&, const Config&) { return emit_kernel("dynamic_quantize", {}, {0}); },
};

}  // namespace kiln::cpu::tactics
