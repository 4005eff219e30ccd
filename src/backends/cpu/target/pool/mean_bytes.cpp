// Tactic: means of windows of dequantized bytes, quantized again, channels last.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "backends/cpu/target/window.h"
#include "target/byte_images.h"

namespace kiln::cpu::tactics {

const Tactic mean_bytes{
    .name = "mean_bytes",
    .version = 1,
    .ops = {"QuantizedAveragePool"},
    .accepts = [](const Problem& p) -> Refusal {
      for (const Refusal& r : {accept_channels_last(p.input(0), "x", kBytesOfImages),
                               accept_channels_last(p.outputs[0], "y", kBytesOfImages)})
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

}  // namespace kiln::cpu::tactics
