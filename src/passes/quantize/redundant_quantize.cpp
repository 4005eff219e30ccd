// Quantize of what Dequantize made with the same parameters gives the integers back.
#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"

namespace kiln::passes {

const Rule redundant_quantize{
    .name = "redundant_quantize",
    .pattern = node("Quantize"),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& n = m.root();
      const auto from = dequantized(n.input(0));
      if (!from) return std::nullopt;
      if (from->integers->dtype() != n.output()->dtype()) return decline("the integers are of another type");
      if (!same_parameters(from->scale, n.input(1)) || !same_zero_points(from->zero_point, n.input(2)))
        return decline("scale or zero point differ");
      if (!one_scale(from->scale)) return decline("the scale is not one sound number");
      if (!same_type(from->integers, n.output())) return decline("the shape changes");
      return forward(m, from->integers);
    },
};

}  // namespace kiln::passes
