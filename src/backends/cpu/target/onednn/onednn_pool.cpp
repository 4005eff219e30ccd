// Tactic: means of windows by oneDNN.
#include "backends/cpu/target/onednn/onednn.h"
#include "backends/cpu/target/tactics.h"
#include "backends/cpu/target/window.h"

namespace kiln::cpu::tactics {
namespace {

bool is_whole(const Problem& p) { return p.op() == "GlobalAveragePool"; }
bool counts_padding(const Problem& p) { return p.attributes().integer("count_include_pad", 0) != 0; }

Emitted step(const Problem& p, const onednn::PrimitiveParameters& primitive) {
  onednn::MeanParameters to{.primitive = primitive, .count_padding = counts_padding(p)};
  if (!is_whole(p)) to.window = onednn_window(p, p.attributes().ints("kernel_shape"));
  return emit_onednn("pool", to, {0});
}

// Of maxima there is none: oneDNN takes a number for the maximum of it and NaN.
Refusal accepts_mean(const Problem& p) {
  for (const Refusal& r : {accept_onednn_image(p.input(0), "x"), accept_onednn_image(p.outputs[0], "y")})
    if (r.refused()) return r;
  if (!p.post().empty()) return refuse("there are post-operations");
  if (!is_whole(p))
    if (Refusal r = needs_short_windows(p); r.refused()) return r;
  if (counts_padding(p) && p.attributes().integer("ceil_mode", 0) != 0)
    return refuse("ceil_mode is 1 and padding counts: windows beyond the padding have fewer elements");
  return accept_onednn(p, step(p, {}));
}

}  // namespace

const Tactic onednn_pool{
    .name = "onednn_pool",
    .version = 1,
    .ops = {"AveragePool", "GlobalAveragePool"},
    .device = kOnednn,
    .accepts = accepts_mean,
    .configurations = onednn_image_configurations,
    .emit = [](const Problem& p,
               const Config& config) { return step(p, read_parameters<onednn::PrimitiveParameters>(config)); },
};

}  // namespace kiln::cpu::tactics
