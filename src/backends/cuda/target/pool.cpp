// Tactics: poolings over one or two spatial dimensions, all others, and means of images of bytes.
#include "backends/cuda/device/cu/pool.h"

#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"
#include "backends/cuda/target/window.h"
#include "target/byte_images.h"
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

const Tactic pool_any{
    .name = "pool_any",
    .version = 1,
    .ops = {"MaxPool", "AveragePool", "LpPool"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_plain(p); r.refused()) return r;
      const DType type = p.input(0).dtype;
      if (!(p.op() == "MaxPool" ? kKernelReals | kByteTypes : kKernelReals).has(type))
        return refuse("elements of type " + std::string(name(type)));
      if (rank(p.input(0)) > static_cast<int64_t>(SpatialWindow::kMostDimensions) + 2)
        return refuse("there are more than eight spatial dimensions");
      if (p.op() != "LpPool" && !pool.accepts(p).refused()) return refuse("the tactic 'pool' takes it");
      return needs_short_windows(p);
    },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_kernel("pool_any", pool_any_parameters(p), {0}); },
};

const Tactic mean_bytes{
    .name = "mean_bytes",
    .version = 1,
    .ops = {"QuantizedAveragePool"},
    .accepts = [](const Problem& p) -> Refusal {
      for (const Refusal& r :
           {accept_image(p.input(0), "x", kBytesOfImages), accept_image(p.outputs[0], "y", kBytesOfImages)})
        if (r.refused()) return r;
      MeanBytesParameters ignored;
      return read_mean_bytes(p, ignored);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          MeanBytesParameters to;
          (void)read_mean_bytes(p, to);
          if (!to.global) to.window = window_of(p, p.attributes().ints("kernel_shape"));
          return emit_kernel("mean_bytes", to, {0});
        },
};

}  // namespace kiln::cuda::tactics
