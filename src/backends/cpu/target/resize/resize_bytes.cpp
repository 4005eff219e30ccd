// Tactic: images of dequantized bytes resized by weights and quantized again, channels last.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "backends/cpu/target/window.h"
#include "target/byte_images.h"

namespace kiln::cpu::tactics {

const Tactic resize_bytes{
    .name = "resize_bytes",
    .version = 1,
    .ops = {"QuantizedResize"},
    .accepts = [](const Problem& p) -> Refusal {
      for (const Refusal& r : {accept_channels_last(p.input(0), "x", kBytesOfImages),
                               accept_channels_last(p.outputs[0], "y", kBytesOfImages)})
        if (r.refused()) return r;
      ResizeBytesParameters ignored;
      return read_resize_bytes(p, ignored);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          ResizeBytesParameters to;
          (void)read_resize_bytes(p, to);
          return emit_kernel("resize_bytes", to, {0});
        },
};

}  // namespace kiln::cpu::tactics
