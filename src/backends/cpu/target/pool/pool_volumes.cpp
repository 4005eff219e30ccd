// Tactic: maxima of bytes over three spatial dimensions, channels last.
#include "backends/cpu/device/kernels/own_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "backends/cpu/target/window.h"
#include "target/spatial_window.h"

namespace kiln::cpu::tactics {

const Tactic pool_volumes{
    .name = "pool_volumes",
    .version = 1,
    .ops = {"MaxPool"},
    .accepts = [](const Problem& p) -> Refusal {
      constexpr TypeSet kTypes{DType::kI8, DType::kU8};
      constexpr size_t kRank = 5;
      for (const Refusal& r : {accept_channels_last(p.input(0), "x", kTypes, kRank),
                               accept_channels_last(p.outputs[0], "y", kTypes, kRank)})
        if (r.refused()) return r;
      if (rank(p.input(0)) != kRank) return refuse("x is no volume");
      if (p.outputs.size() != 1) return refuse("the positions of the maxima are wanted");
      if (!p.post().empty()) return refuse("there are post-operations");
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          return emit_kernel("pool_volumes",
                             kernels::PoolVolumesParameters{spatial_window_of(p, p.attributes().ints("kernel_shape"))},
                             {0});
        },
};

}  // namespace kiln::cpu::tactics
