// Tactic: poolings by oneDNN.
#include "backends/cpu/target/onednn/onednn.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {
namespace {

enum Kind : int64_t { kMax, kMean, kMeanWithPadding };

bool is_whole(const Problem& p) { return p.op() == "GlobalMaxPool" || p.op() == "GlobalAveragePool"; }

Emitted step(const Problem& p, const Config& config) {
  Attributes to = config;
  const bool maximum = p.op() == "MaxPool" || p.op() == "GlobalMaxPool";
  const bool padded = p.attributes().integer("count_include_pad", 0) != 0;
  to.set("kind", maximum ? kMax : padded ? kMeanWithPadding : kMean);
  to.set("whole", int64_t{is_whole(p)});
  if (!is_whole(p)) put_window(to, onednn_window(p, p.attributes().ints("kernel_shape")));
  return emit_onednn("pool", std::move(to), {0});
}

Refusal accepts(const Problem& p) {
  if (!is_whole(p) && p.op() != "MaxPool" && p.op() != "AveragePool")
    return refuse("is for MaxPool, AveragePool, GlobalMaxPool and GlobalAveragePool");
  for (const Refusal& r : {accept_onednn_image(p.input(0), "x"), accept_onednn_image(p.outputs[0], "y")})
    if (r.refused()) return r;
  if (p.outputs.size() != 1) return refuse("the positions of the maxima are wanted");
  if (!p.post().empty()) return refuse("there are post-operations");
  if (p.attributes().integer("count_include_pad", 0) != 0 && p.attributes().integer("ceil_mode", 0) != 0)
    return refuse("ceil_mode is 1 and padding counts: windows beyond the padding have fewer elements");
  return accept_onednn(p, step(p, {{"copied", int64_t{0}}}));
}

}  // namespace

const Tactic onednn_pool{.name = "onednn_pool",
                         .version = 1,
                         .device = kOnednn,
                         .accepts = accepts,
                         .configurations = onednn_image_configurations,
                         .emit = step};

}  // namespace kiln::cpu::tactics
