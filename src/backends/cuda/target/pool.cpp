// Tactic: poolings over one or two spatial dimensions.
#include "backends/cuda/device/cu/pool.h"

#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"
#include "backends/cuda/target/window.h"
#include "target/pool_parameters.h"

namespace kiln::cuda::tactics {

const Tactic pool{
    .name = "pool",
    .version = 2,
    .ops = {"MaxPool", "AveragePool"},
    .accepts = [](const Problem& p) -> Refusal {
      const TypeSet types = p.op() == "MaxPool" ? kKernelFloats | kByteTypes : kKernelFloats;
      for (const Refusal& r : {accept_image(p.input(0), "x", types), accept_image(p.outputs[0], "y", types)})
        if (r.refused()) return r;
      if (p.outputs.size() != 1) return refuse("the positions of the maxima are wanted");
      if (!p.post().empty()) return refuse("there are post-operations");
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          return emit_kernel("pool", PoolParameters{pooling_of(p), window_of(p, p.attributes().ints("kernel_shape"))},
                             {0});
        },
};

}  // namespace kiln::cuda::tactics
