// Tactic: Concat and Split as copies of parts.
#include "backends/cpu/device/kernels/own_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/axis_parameters.h"

namespace kiln::cpu::tactics {

namespace {

// Sizes of the parts along the axis, -1 where only running can tell.
Ints part_sizes(const Problem& p) {
  Ints sizes;
  const auto axis = static_cast<size_t>(axis_of(p, "axis", 0, rank(p.input(0))));
  for (const ir::Value* part : p.node->outputs()) sizes.push_back(part->shape()[axis].constant().value_or(-1));
  return sizes;
}

Refusal accepts_parts(const Problem& p) {
  if (Refusal r = needs_plain(p); r.refused() || p.op() == "Concat") return r;
  const Ints sizes = part_sizes(p);
  int64_t open = 0;
  for (size_t i = 0; i < sizes.size(); ++i) open += !p.outputs[i].present && sizes[i] < 0;
  if (open > 1) return refuse("nobody reads " + std::to_string(open) + " parts of unknown size");
  return accept();
}

}  // namespace

const Tactic concat_split{
    .name = "concat_split",
    .version = 1,
    .ops = {"Concat", "Split"},
    .accepts = accepts_parts,
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          if (p.op() == "Concat") return emit_kernel("concat", axis_parameters(p, 0), all_inputs(p));
          return emit_kernel("split", kernels::SplitParameters{axis_parameters(p, 0), part_sizes(p)}, {0});
        },
};

}  // namespace kiln::cpu::tactics
