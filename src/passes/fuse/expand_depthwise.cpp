// A 1x1 convolution and the depthwise convolution of its results become one: what lies between them need not leave the caches.
#include <algorithm>

#include "passes/post_ops.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

constexpr int64_t kLeastElements = 600'000;  // of the value between them: fewer stay in second-level caches anyway

bool all_are(const Ints& values, int64_t wanted) {
  return std::all_of(values.begin(), values.end(), [&](int64_t v) { return v == wanted; });
}

bool is_expansion(const Node& n) {
  const Value* w = n.input(1);
  return w && w->constant() && w->rank() == 4 && w->shape()[2] == Dim(1) && w->shape()[3] == Dim(1) &&
         integer(n, "group") == 1 && all_are(n.attributes.ints("strides", {}), 1) &&
         all_are(n.attributes.ints("pads", {}), 0) &&
         (!n.input(2) || n.base_input_count() < 3 || n.input(2)->constant());
}

bool is_depthwise(const Node& n) {
  const Value* w = n.input(1);
  return w && w->constant() && w->rank() == 4 && w->shape()[1] == Dim(1) &&
         w->shape()[0].constant() == integer(n, "group");
}

// The activation as attributes of the fused node; nothing when the post-operations are more than one activation.
std::optional<Attributes> activation_of(const Node& expansion) {
  Attributes attributes;
  if (expansion.post.empty()) return attributes;
  const ir::PostOp& post = expansion.post[0];
  if (expansion.post.size() > 1) return std::nullopt;
  attributes.set("activation", post.op->name());
  if (is_plain_activation(post)) return attributes;
  if (post.op->name() != "Clip" || post.operands.size() != 3) return std::nullopt;
  const auto low = uniform(expansion.input(post.operands[1])), high = uniform(expansion.input(post.operands[2]));
  if (post.operands[0] >= 0 || !low || !high) return std::nullopt;
  attributes.set("low", *low);
  attributes.set("high", *high);
  return attributes;
}

// Elements of one image, where they are known.
std::optional<int64_t> image_elements(const Value* v) {
  int64_t count = 1;
  for (size_t i = 1; i < v->shape().size(); ++i) {
    const auto dim = v->shape()[i].constant();
    if (!dim) return std::nullopt;
    count *= *dim;
  }
  return count;
}

Value* bias_of(const Node& n) { return n.base_input_count() > 2 ? n.input(2) : nullptr; }

}  // namespace

const Rule expand_depthwise{
    .name = "expand_depthwise",
    .pattern = node("Conv", {once(node("Conv").as("expand").with_post_ops())}).as("depthwise").with_post_ops(),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node &expansion = m["expand"], &depthwise = m["depthwise"];
      if (depthwise.output()->dtype() != DType::kF32) return decline("the type is not float32");
      if (!is_depthwise(depthwise)) return decline("the second convolution is not depthwise");
      if (!is_expansion(expansion)) return decline("the first convolution is not 1x1, dense and constant");
      const auto elements = image_elements(expansion.output());
      if (!elements || *elements < kLeastElements)
        return decline("what lies between them is " + to_string(expansion.output()->shape()));
      auto attributes = activation_of(expansion);
      if (!attributes) return decline("the first convolution has other post-operations than one activation");
      for (const char* name : {"auto_pad", "dilations", "pads", "strides"})
        if (const Attribute* value = depthwise.attributes.find(name)) attributes->set(name, *value);
      Patch p(m);
      const PatchValue fused =
          p.add("ExpandDepthwise",
                {expansion.input(0), expansion.input(1), bias_of(expansion), depthwise.input(1), bias_of(depthwise)},
                std::move(*attributes));
      p.take_post_ops(fused, depthwise);
      p.replace(depthwise.output(), fused);
      return p;
    },
    .makes = "ExpandDepthwise",
    .stage = 2,
};

}  // namespace kiln::passes
