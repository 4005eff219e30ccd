// Zeros padded around the image before a convolution become its own padding.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule pad_conv{
    .name = "pad_conv",
    .pattern = node("Conv", {once(node("Pad", {any("x"), constant()}))}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Node &conv = m.root(), &pad = m["Pad"];
      const std::string auto_pad = text(conv, "auto_pad");
      if (text(pad, "mode") != "constant") return decline("the padding is not constant");
      if (pad.input(2) && !(uniform(pad.input(2)) == 0.0)) return decline("the padding is not zero");
      if (pad.input(3)) return decline("the padding names its axes");
      if (auto_pad != "NOTSET" && auto_pad != "VALID") return decline("auto_pad is " + auto_pad);
      const Ints outer = pad.input(1)->constant()->to_ints();
      const size_t rank = outer.size() / 2, spatial = rank - 2;
      for (int64_t v : outer)
        if (v < 0) return decline("it cuts elements off");
      for (size_t i : {size_t{0}, size_t{1}, rank, rank + 1})
        if (outer[i] != 0) return decline("batch or channels are padded");
      Ints pads = conv.attributes.ints("pads", {});
      pads.resize(2 * spatial, 0);
      for (size_t i = 0; i < spatial; ++i) {
        pads[i] += outer[2 + i];
        pads[spatial + i] += outer[rank + 2 + i];
      }
      Attributes attributes = conv.attributes;
      attributes.set("pads", pads);
      attributes.erase("auto_pad");
      std::vector<PatchValue> inputs(conv.inputs().begin(), conv.inputs().end());
      inputs[0] = m.value("x");
      Patch p(m);
      p.replace(conv.output(), p.add("Conv", std::move(inputs), std::move(attributes)));
      return p;
    },
};

}  // namespace kiln::passes
