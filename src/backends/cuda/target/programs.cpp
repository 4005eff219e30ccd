// Tactics: operators with constant parameters that pointwise programs compute: BatchNormalization, QuantizeLinear, DequantizeLinear; the
// last two between all types and with scales of blocks; and DynamicQuantizeLinear.
#include "backends/cuda/device/kernels/own_parameters.h"
#include "backends/cuda/device/kernels/pointwise_code.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"
#include "base/index.h"
#include "target/channel_affine.h"
#include "target/quantize_program.h"

namespace kiln::cuda::tactics {
namespace {

Refusal accepts_interpreted(const Problem& p) {
  if (const Refusal r = needs_plain(p); r.refused()) return r;
  for (const auto* list : {&p.inputs, &p.outputs})
    for (const Argument& a : *list)
      if (a.present && !kernels::is_generated_type(a.dtype))
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

namespace {

// The type in which QuantizeLinear divides: int32 and float8e8m0 are too coarse.
DType division_type_of(const Problem& p) {
  const std::string asked = p.attributes().text("precision", "");
  if (!asked.empty()) return dtype_from_name(asked).value_or(DType::kInvalid);
  const DType type = p.input(1).dtype;
  return type == DType::kI32 ? DType::kF64 : type == DType::kF8E8M0 ? DType::kF32 : type;
}

kernels::QuantizeAnyParameters quantize_any_parameters(const Problem& p) {
  kernels::QuantizeAnyParameters to;
  to.inverse = p.op() == "DequantizeLinear";
  to.block = p.attributes().integer("block_size", 0);
  // An axis that the tensor lacks is that of one value.
  const int64_t n = rank(p.input(0)), asked = p.attributes().integer("axis", 1);
  to.axis = asked >= -n && asked < n ? normalize_axis(asked, n) : n;
  if (!to.inverse) to.precision = division_type_of(p);
  to.saturate = p.attributes().integer("saturate", 1) != 0;
  return to;
}

}  // namespace

const Tactic quantize_any{
    .name = "quantize_any",
    .version = 1,
    .ops = {"QuantizeLinear", "DequantizeLinear"},
    .accepts = [](const Problem& p) -> Refusal {
      if (!p.post().empty()) return refuse("it has post-operations");
      for (const auto* list : {&p.inputs, &p.outputs})
        for (const Argument& a : *list)
          if (a.present && !a.ranked) return refuse("the rank of an operand is not known");
      if (!kFloatTypes.has(p.op() == "QuantizeLinear" ? division_type_of(p) : DType::kF32))
        return refuse("it does not divide in " + p.attributes().text("precision", ""));
      return needs_row_major(p);
    },
    .configurations = nullptr,
    .emit = [](const Problem& p,
               const Config&) { return emit_kernel("quantize_any", quantize_any_parameters(p), all_inputs(p, 3)); },
};

const Tactic dynamic_quantize{
    .name = "dynamic_quantize",
    .version = 2,
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
