// Relu between what only moves elements and Quantize comes before the move, so that Quantize can, too: bytes are moved, and products before
// it take both.
#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"

namespace kiln::passes {

const Rule relu_before_move{
    .name = "relu_before_move",
    .pattern = node("Quantize", {once(node("Relu", {once(one_of({}).as("move"))}))}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node &n = m.root(), &move = m["move"];
      if (!move.post.empty() || move.outputs().size() != 1 || !(reorders(move) || move.is("Concat")))
        return std::nullopt;
      if (!one_scale(n.input(1))) return decline("the quantization does not move");
      Patch p(m);
      p.set_name(move.name());
      std::vector<PatchValue> inputs(move.inputs().begin(), move.inputs().end());
      for (size_t i = 0; i < (move.is("Concat") ? inputs.size() : 1); ++i) inputs[i] = p.add("Relu", {inputs[i]});
      std::vector<PatchValue> operands(n.inputs().begin(), n.inputs().end());
      operands[0] = p.add(move.op_name(), std::move(inputs), move.attributes);
      p.replace(n.output(), p.add("Quantize", std::move(operands), n.attributes));
      return p;
    },
};

}  // namespace kiln::passes
