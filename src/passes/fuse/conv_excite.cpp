// A convolution of each channel alone adds its results up while it has them: squeeze-and-excite behind it need not read them for their mean.
#include "passes/post_ops.h"
#include "passes/rule_lists.h"
#include "passes/squeeze.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

// Of x, in bytes: one step that reads fewer once takes no longer than two that are started one by one.
constexpr int64_t kFewestSummed = 8 << 20;

Value* depthwise_bias(const Node& n) { return n.base_input_count() > 2 ? n.input(2) : nullptr; }

// 3x3 or 5x5 with one stride of 1 or 2 and without dilation, each channel alone, constant.
bool has_sum_kernels(const Node& conv) {
  const Value *w = conv.input(1), *bias = depthwise_bias(conv);
  if (!w->constant() || w->rank() != 4 || (bias && !bias->constant())) return false;
  const Dims& dims = w->constant()->dims();
  const Ints strides = conv.attributes.ints("strides", {1, 1}), dilations = conv.attributes.ints("dilations", {1, 1});
  return dims[0] == integer(conv, "group") && dims[1] == 1 && dims[2] == dims[3] && (dims[2] == 3 || dims[2] == 5) &&
         strides[0] == strides[1] && strides[0] <= 2 && dilations == Ints{1, 1};
}

// Its name; nothing when there is more than one, or the fused operator takes it only with attributes.
std::optional<std::string> activation_name(const Node& conv) {
  if (conv.post.empty()) return std::string();
  if (conv.post.size() > 1 || !is_plain_activation(conv.post[0])) return std::nullopt;
  return conv.post[0].op->name();
}

}  // namespace

const Rule conv_excite{
    .name = "conv_excite",
    .pattern = squeeze_excite_pattern(),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Value* x = m.value("x");
      Node* conv = x->producer();
      if (!conv || !conv->is("Conv") || x->uses().size() != 2 || x->is_graph_output()) return std::nullopt;
      auto attributes = squeeze_attributes(m);
      if (!attributes) return std::nullopt;
      if (bits(x->dtype()) != 16) return decline("the type of x is " + std::string(name(x->dtype())));
      if (known_bytes(x) < kFewestSummed) return decline(to_string(x->shape()) + " is not known to be large");
      if (!has_sum_kernels(*conv)) return decline("the convolution has no kernels that add results up");
      const auto activation = activation_name(*conv);
      if (!activation) return decline("the convolution has other post-operations than one activation");
      if (!activation->empty()) attributes->set("activation", *activation);
      for (const char* name : {"auto_pad", "dilations", "group", "pads", "strides"})
        if (const Attribute* value = conv->attributes.find(name)) attributes->set(name, *value);
      Patch p(m);
      p.absorb(*conv);
      std::vector<PatchValue> inputs = squeeze_inputs(m);
      inputs.insert(inputs.begin(), {conv->input(0), conv->input(1), depthwise_bias(*conv)});
      const PatchValue made = p.add("ConvExcite", std::move(inputs), std::move(*attributes), 2);
      p.replace(m.root().output(), p.add("Mul", {made, made.result(1)}));
      return p;
    },
    .makes = "ConvExcite",
    .stage = 2,
};

}  // namespace kiln::passes
