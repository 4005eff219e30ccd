// Tactic: Pad with known pads.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {
namespace {

// Elements before each axis; nothing when only running can tell.
std::optional<Ints> pads_before(const Problem& p) {
  const auto pads = known_ints(p, 1);
  if (!pads) return std::nullopt;
  Ints before(static_cast<size_t>(rank(p.input(0))), 0), axes;
  if (p.input(3).present) {
    const auto given = known_ints(p, 3);
    if (!given) return std::nullopt;
    for (int64_t a : *given) axes.push_back(normalize_axis(a, rank(p.input(0))));
  } else {
    for (int64_t i = 0; i < rank(p.input(0)); ++i) axes.push_back(i);
  }
  for (size_t i = 0; i < axes.size(); ++i) before[static_cast<size_t>(axes[i])] = (*pads)[i];
  return before;
}

}  // namespace

const Tactic pad{
    .name = "pad",
    .version = 1,
    .ops = {"Pad"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_plain(p); r.refused()) return r;
      if (!pads_before(p)) return refuse("the pads are known only at run time");
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          return emit_kernel("pad", {{"mode", p.attributes().text("mode", "constant")}, {"before", *pads_before(p)}},
                             {0, p.input(2).present ? 2 : Emitted::kAbsent});
        },
};

}  // namespace kiln::cpu::tactics
