// Tactics: operators with constant parameters that pointwise programs compute: BatchNormalization, QuantizeLinear, DequantizeLinear; and
// DynamicQuantizeLinear.
#include "backends/cuda/device/kernels/pointwise_code.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"
#include "target/channel_affine.h"
#include "target/quantize_program.h"

namespace kiln::cuda::tactics {
namespace {

Refusal accepts_interpreted(const Problem& p) {
  if (const Refusal r = needs_plain(p); r.refused()) return r;
  for (const auto* list : {&p.inputs, &p.outputs})
    for (const Argument& a : *list)
      if (a.present && !kernels::is_pointwise_type(a.dtype))
        return refuse("elements of type " + std::string(name(a.dtype)));
  return accept();
}

}  // namespace

const Tactic channel_affine{
    .name = "channel_affine",
    .version = 1,
    .ops = {"BatchNormalization"},
    .accepts = [](const Problem& p) -> Refusal {
      const Refusal r = accepts_interpreted(p);
      return r.refused() ? r : accept_channel_affine(p);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          Emitted e = emit_kernel("pointwise", {}, {});
          emit_channel_affine(p, e);
          return e;
        },
};

const Tactic quantize{
    .name = "quantize",
    .version = 1,
    .ops = {"QuantizeLinear", "DequantizeLinear"},
    .accepts = [](const Problem& p) -> Refusal {
      const Refusal r = accepts_interpreted(p);
      return r.refused() ? r : accept_quantize(p);
    },
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
    .accepts = [](const Problem& p) -> Refusal {
      if (const Refusal r = needs_one_float(p); r.refused()) return r;
      const DType type = p.input(0).dtype;
      return type == DType::kF32 ? needs_row_major(p) : refuse("x is " + std::string(name(type)) + ", needs float32");
    },
    .configurations = nullptr,
    .emit = [](const Problem&, const Config&) { return emit_kernel("dynamic_quantize", {}, {0}); },
};

}  // namespace kiln::cuda::tactics
