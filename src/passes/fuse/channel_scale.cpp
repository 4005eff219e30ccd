// A constant factor per channel after a convolution or matrix product goes into its weights and bias.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule channel_scale{
    .name = "channel_scale",
    .pattern = one_of({"Div", "Mul"}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Node& root = m.root();
      for (int i = 0; i < (root.is("Mul") ? 2 : 1); ++i) {
        const auto product = foldable_product(root.input(i));
        if (!product || !same_type(root.input(i), root.output())) continue;
        Node& n = *product->node;
        auto factors = along_axis(root.input(1 - i), root.output()->shape(), product->channel_axis);
        const auto bias = constant_bias(*product);
        if (!factors || !bias) return decline("factor or bias is not a constant per channel");
        if (root.is("Div"))
          for (double& f : *factors) f = 1 / f;
        const auto weights = scaled_weights(*product, *factors);
        if (!weights) return decline("the weights overflow");
        Patch p(m);
        p.absorb(n);
        std::vector<PatchValue> inputs = {n.input(0), p.constant(*weights, n.input(1)->name())};
        if (n.input(2)) {
          std::vector<double> scaled = *bias;
          for (size_t k = 0; k < scaled.size(); ++k) scaled[k] *= (*factors)[k];
          inputs.push_back(
              p.constant(tensor_of(root.output()->dtype(), {product->channels}, scaled), n.input(2)->name()));
        }
        p.replace(root.output(), p.add(n.op_name(), std::move(inputs), n.attributes));
        return p;
      }
      return std::nullopt;
    },
};

}  // namespace kiln::passes
