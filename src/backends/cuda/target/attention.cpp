// Tactics: Attention and RotaryEmbedding.
#include "backends/cuda/device/kernels/own_parameters.h"
#include "backends/cuda/target/attention_problem.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/tactics.h"
#include "target/attention_parameters.h"

namespace kiln::cuda::tactics {

Refusal accepts_attention(const Problem& p) {
  if (Refusal r = needs_plain(p); r.refused()) return r;
  const DType type = p.input(0).dtype;
  if (!is_kernel_float(type)) return refuse("elements of type " + std::string(name(type)));
  if (p.input(1).dtype != type || p.input(2).dtype != type)
    return refuse("keys or values are of another type than queries");
  if (p.outputs.size() > 1) return refuse("it has more than one result");
  for (int i = 4; i < 7; ++i)
    if (p.input(i).present) return refuse("it has a cache or lengths of sequences");
  if (p.attributes().real("softcap", 0) != 0) return refuse("its scores are capped");
  for (const Argument* a : {&p.inputs[0], &p.inputs[1], &p.inputs[2], &p.outputs[0]})
    if (!a->layout.is_row_major()) return refuse("an operand has the layout " + to_string(a->layout));
  return mask_fits(p);
}

namespace {

// The kernel that goes from head to head keeps one row of the mask for all queries.
bool takes_stream(const Problem& p) {
  if (p.input(0).dtype == DType::kF32 || !target_chip().has_wgmma()) return false;
  if (!p.input(3).present) return true;
  const Shape& mask = p.node->input(3)->shape();
  return mask.size() < 2 || mask[mask.size() - 2] == Dim(1);
}

}  // namespace

const Tactic attention{
    .name = "attention",
    .version = 6,
    .ops = {"Attention"},
    .accepts = accepts_attention,
    .configurations =
        [](const Problem& p) {
          std::vector<Config> configs;
          const auto add = [&](int64_t queries) { configs.push_back(to_parameters(kernels::QueriesChoice{queries})); };
          add(0);
          if (p.input(0).dtype != DType::kF32)
            for (int64_t queries : {16, 32, kQueryRows}) add(queries);
          if (takes_stream(p)) add(kStreamQueries);
          return configs;
        },
    .emit =
        [](const Problem& p, const Config& config) {
          const kernels::BlockAttentionParameters to{attention_parameters(p),
                                                     read_parameters<kernels::QueriesChoice>(config)};
          Emitted e = emit_kernel("attention", to, {0, 1, 2, p.input(3).present ? 3 : Emitted::kAbsent});
          e.strided_inputs = 0b1111;
          return e;
        },
};

const Tactic rotary{
    .name = "rotary",
    .version = 1,
    .ops = {"RotaryEmbedding"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_one_float(p); r.refused()) return r;
      return needs_row_major(p);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          Emitted e = emit_kernel("rotary", rotary_parameters(p), {0, 1, 2, p.input(3).present ? 3 : Emitted::kAbsent});
          e.strided_inputs = 1;
          return e;
        },
};

}  // namespace kiln::cuda::tactics
