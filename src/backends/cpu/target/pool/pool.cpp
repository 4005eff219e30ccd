// Tactic: poolings of float32, and maxima of bytes, float16 and bfloat16, over one or two spatial dimensions.
#include "backends/cpu/device/compute/pool_nhwc.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "backends/cpu/target/window.h"
#include "target/pool_parameters.h"

namespace kiln::cpu::tactics {

const Tactic pool{
    .name = "pool",
    .version = 1,
    .ops = {"MaxPool", "AveragePool"},
    .accepts = [](const Problem& p) -> Refusal {
      const TypeSet types =
          p.op() == "MaxPool" ? TypeSet{DType::kF32, DType::kF16, DType::kBF16, DType::kI8, DType::kU8} : DType::kF32;
      for (const Refusal& r : {accept_image(p.input(0), "x", types), accept_image(p.outputs[0], "y", types)})
        if (r.refused()) return r;
      if (p.outputs.size() != 1) return refuse("the positions of the maxima are wanted");
      if (!p.post().empty()) return refuse("there are post-operations");
      return needs_short_windows(p);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          return emit_kernel("pool", PoolParameters{pooling_of(p), window_of(p, p.attributes().ints("kernel_shape"))},
                             {0});
        },
};

}  // namespace kiln::cpu::tactics
