// Tactic: mean over all spatial dimensions of a tensor with channels last.
#include <algorithm>

#include "backends/cpu/target/tactics.h"
#include "backends/cpu/target/window.h"

namespace kiln::cpu::tactics {
namespace {

// Are these all the spatial axes, as attribute or constant input?
bool reduces_pixels(const Problem& p) {
  const int64_t rank = static_cast<int64_t>(p.input(0).opt.size());
  const Argument& input = p.input(1);
  if (input.present && !input.constant) return false;
  Ints axes = input.present ? input.constant->to_ints() : p.attributes().ints("axes", {});
  for (int64_t& axis : axes) axis = axis < 0 ? axis + rank : axis;
  std::sort(axes.begin(), axes.end());
  return rank == 4 ? axes == Ints{2, 3} : axes == Ints{2};
}

}  // namespace

const Tactic mean_pixels{
    .name = "mean_pixels",
    .version = 1,
    .ops = {"GlobalAveragePool", "ReduceMean"},
    .accepts = [](const Problem& p) -> Refusal {
      if (const Refusal r = accept_channels_last(p.input(0), "x"); r.refused()) return r;
      if (p.op() == "ReduceMean" && !reduces_pixels(p)) return refuse("the axes are not all spatial ones");
      if (!p.post().empty()) return refuse("there are post-operations");
      if (!p.outputs[0].layout.is_plain())
        return refuse("the result has the blocked layout " + to_string(p.outputs[0].layout));
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem&, const Config&) {
          return Emitted{.device = "cpu", .kernel = "mean_pixels", .parameters = {}, .inputs = {0}, .constants = {}};
        },
};

}  // namespace kiln::cpu::tactics
