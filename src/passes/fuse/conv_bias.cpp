// A constant summand per channel after a convolution becomes its bias.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule conv_bias{
    .name = "conv_bias",
    .pattern = one_of({"Add", "Sub"}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Node& root = m.root();
      for (int i = 0; i < (root.is("Add") ? 2 : 1); ++i) {
        const auto product = foldable_product(root.input(i));
        if (!product || product->node->is("MatMul") || !same_type(root.input(i), root.output())) continue;
        Node& n = *product->node;
        auto sum = along_axis(root.input(1 - i), root.output()->shape(), product->channel_axis);
        const auto bias = constant_bias(*product);
        if (!sum || !bias) return decline("summand or bias is not a constant per channel");
        for (size_t k = 0; k < sum->size(); ++k) (*sum)[k] = (*bias)[k] + (root.is("Sub") ? -(*sum)[k] : (*sum)[k]);
        Patch p(m);
        p.absorb(n);
        const PatchValue b =
            p.constant(tensor_of(root.output()->dtype(), {product->channels}, *sum), n.name() + ".bias");
        p.replace(root.output(), p.add(n.op_name(), {n.input(0), n.input(1), b}, n.attributes));
        return p;
      }
      return std::nullopt;
    },
};

}  // namespace kiln::passes
