// Tactics: Attention by blocks of queries, in float32, and with products of bfloat16 in tiles.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/quantize/bfloat16.h"
#include "backends/cpu/target/tactics.h"
#include "target/attention_parameters.h"

namespace kiln::cpu::tactics {
namespace {

Refusal accept_attention(const Problem& p) {
  if (p.outputs.size() > 1) return refuse("it has more than one result");
  for (int i = 4; i < 7; ++i)
    if (p.input(i).present) return refuse("it has a cache or lengths of sequences");
  if (p.attributes().real("softcap", 0) != 0) return refuse("its scores are capped");
  if (p.attributes().has("scale") && p.attributes().real("scale") < 0) return refuse("its scale is negative");
  return mask_fits(p);
}

Refusal accept_narrow_attention(const Problem& p) {
  constexpr TypeSet kTypes{DType::kF32, DType::kBF16};
  if (const Refusal r = multiplies_in_bfloat16(p); r.refused()) return r;
  const DType type = p.input(0).dtype;
  if (!kTypes.has(type) || !kTypes.has(p.outputs[0].dtype) || p.input(1).dtype != type || p.input(2).dtype != type)
    return refuse("it is not of float32 or bfloat16");
  for (const Argument* a : {&p.input(0), &p.input(1), &p.input(2), &p.input(3), &p.outputs[0]})
    if (a->present && !a->layout.is_row_major()) return refuse("an operand is not row-major");
  if (!p.post().empty()) return refuse("there are post-operations");
  // Rounded, the largest numbers are infinite, and a row that only they mask has no weights.
  if (p.input(3).present && p.input(3).dtype != DType::kF32 && p.input(3).dtype != DType::kBool)
    return refuse("the mask is " + std::string(name(p.input(3).dtype)));
  return in_tiles(accept_attention(p));
}

Emitted emit_attention(const Problem& p, const char* kernel) {
  Emitted e = emit_kernel(kernel, attention_parameters(p), {0, 1, 2, p.input(3).present ? 3 : Emitted::kAbsent});
  e.strided_inputs = 0b0111;
  return e;
}

}  // namespace

const Tactic attention_bfloat16_amx{
    .name = "attention_bfloat16_amx",
    .version = 1,
    .ops = {"Attention"},
    .estimate =
        [](const Problem& p, const DeviceFacts& facts) {
          Estimate e = roofline(workload_of(p), DType::kBF16, facts);
          e.launch += kTilesLaunch;
          return e;
        },
    .accepts = accept_narrow_attention,
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          Emitted e = emit_attention(p, "attention_bfloat16");
          e.computes = DType::kBF16;
          return e;
        },
};

const Tactic attention{
    .name = "attention",
    .version = 1,
    .ops = {"Attention"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_f32(p); r.refused()) return r;
      return accept_attention(p);
    },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_attention(p, "attention"); },
};

}  // namespace kiln::cpu::tactics
