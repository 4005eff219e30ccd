// Tactic: Attention by blocks of queries.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {
namespace {

Refusal mask_fits(const Problem& p) {
  const Argument& mask = p.input(3);
  if (!mask.present) return accept();
  if (mask.dtype != DType::kF32 && mask.dtype != DType::kBool)
    return refuse(std::string("the mask is ") + std::string(name(mask.dtype)));
  const Shape &m = p.node->input(3)->shape(), &k = p.node->input(1)->shape();
  const bool is_whole = p.attributes().integer("whole_mask", 0) != 0;
  if (m.empty() || m.size() > 4 || (!is_whole && !(m.back() == k[k.size() - 2])))
    return refuse("the mask " + to_string(m) + " may be shorter than the keys " + to_string(k));
  return accept();
}

}  // namespace

const Tactic attention{
    .name = "attention",
    .version = 1,
    .ops = {"Attention"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_f32(p); r.refused()) return r;
      if (p.outputs.size() > 1) return refuse("it has more than one result");
      for (int i = 4; i < 7; ++i)
        if (p.input(i).present) return refuse("it has a cache or lengths of sequences");
      if (p.attributes().real("softcap", 0) != 0) return refuse("its scores are capped");
      if (p.attributes().has("scale") && p.attributes().real("scale") < 0) return refuse("its scale is negative");
      return mask_fits(p);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const Attributes& a = p.attributes();
          Attributes to{{"q_heads", a.integer("q_num_heads", 0)},
                        {"kv_heads", a.integer("kv_num_heads", 0)},
                        {"causal", a.integer("is_causal", 0)},
                        {"mask_period", a.integer("mask_period", 0)}};
          if (a.has("scale")) to.set("scale", a.real("scale"));
          Emitted e = emit_kernel("attention", std::move(to), {0, 1, 2, p.input(3).present ? 3 : Emitted::kAbsent});
          e.strided_inputs = 0b0111;
          return e;
        },
};

}  // namespace kiln::cpu::tactics
