// Batch normalisation after a convolution or matrix product goes into its weights and bias.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule conv_batch_norm{
    .name = "conv_batch_norm",
    .pattern = node("BatchNormalization", {once(one_of({"Conv", "ConvTranspose", "MatMul"}).as("product")), constant(),
                                           constant(), constant(), constant()}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const auto line = batch_norm_line(m.root());
      if (!line) return decline("it is training");
      const auto product = foldable_product(m.value("product"));
      if (!product || product->channel_axis != 1) return decline("the weights are not constant");
      Node& n = *product->node;
      const auto bias = constant_bias(*product);
      if (!bias) return decline("the bias is not constant");
      const DType type = m.value("product")->dtype();
      std::vector<double> summands = line->summands;
      for (size_t i = 0; i < summands.size(); ++i) summands[i] += (*bias)[i] * line->factors[i];
      const auto weights = scaled_weights(*product, line->factors);
      if (!weights) return decline("the weights overflow");
      Patch p(m);
      const PatchValue w = p.constant(*weights, n.input(1)->name());
      const PatchValue b = p.constant(tensor_of(type, {product->channels}, summands), n.name() + ".bias");
      if (n.is("MatMul")) p.replace(m.root().output(), p.add("Add", {p.add("MatMul", {n.input(0), w}), b}));
      else p.replace(m.root().output(), p.add(n.op_name(), {n.input(0), w, b}, n.attributes));
      return p;
    },
};

}  // namespace kiln::passes
