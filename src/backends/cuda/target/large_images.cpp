// Layers on images that the second-level cache does not hold.
#include "backends/cuda/target/large_images.h"

#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/depthwise_problem.h"
#include "backends/cuda/target/squeeze_problem.h"
#include "base/checked.h"
#include "passes/post_ops.h"
#include "passes/value_queries.h"

namespace kiln::cuda {
namespace {

constexpr size_t kImageRank = 4;

bool has_known_shape(const ir::Value& v) { return v.is_tensor() && v.ranked() && is_static(v.shape()); }

// Smaller ones come from the cache when they are read again: there, kernels that do one thing at a time are faster.
Refusal accept_large(const ir::Value& image) {
  if (!has_known_shape(image) || image.rank() != kImageRank) return refuse("the size of the image is not known");
  const int64_t bytes =
      mul_or_throw(element_count(static_dims(image.shape())), bits(image.dtype()) / 8, "bytes of an image");
  if (bytes <= target_chip().cache)
    return refuse("an image of " + std::to_string(bytes) + " bytes fits the cache of " +
                  std::to_string(target_chip().cache));
  return accept();
}

// With channels last, as images of large networks are.
Argument argument_of(const ir::Value* v) {
  Argument a;
  if (!v) return a;
  a.present = true;
  a.dtype = v->dtype();
  a.constant = v->constant();
  a.ranked = a.is_static = has_known_shape(*v);
  if (!a.ranked) return a;
  a.opt = a.max = static_dims(v->shape());
  if (!a.constant && a.opt.size() == kImageRank) a.layout = Layout::channels_last(kImageRank);
  return a;
}

Problem problem_of(const ir::Node& node) {
  Problem p;
  p.node = &node;
  for (const ir::Value* v : node.inputs()) p.inputs.push_back(argument_of(v));
  for (const ir::Value* v : node.outputs()) p.outputs.push_back(argument_of(v));
  return p;
}

Refusal accept_excite(const ir::Node& conv, const ir::Node& squeeze) {
  if (Refusal r = accept_large(*conv.output()); r.refused()) return r;
  if (conv.post.size() > 1 || (!conv.post.empty() && !passes::is_plain_activation(conv.post[0])))
    return refuse("the convolution has other post-operations than one activation");
  TiledProblem t;
  if (Refusal r = read_boxes(problem_of(conv), t); r.refused()) return r;
  const Problem p = problem_of(squeeze);
  return accept_squeeze(p, 1, p.input(0));
}

Refusal accept_scaled(const ir::Node& conv) {
  if (Refusal r = accept_large(*conv.input(0)); r.refused()) return r;
  TiledProblem t;
  return read_scaled(problem_of(conv), t);
}

// One row of channels for each image.
bool is_row(const ir::Value& factors, const ir::Value& image) {
  const Shape& x = image.shape();
  return !factors.constant() && factors.dtype() == image.dtype() && factors.ranked() &&
         factors.shape() == Shape{x[0], x[1], 1, 1};
}

}  // namespace
}  // namespace kiln::cuda

namespace kiln::passes {

const Rule conv_excite{
    .name = "conv_excite",
    .pattern = node("SqueezeExcite", {once(node("Conv").with_post_ops())}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node &squeeze = m.root(), &conv = m["Conv"];
      if (const Refusal r = cuda::accept_excite(conv, squeeze); r.refused()) return decline(r.reason);
      Attributes attributes = conv.attributes;
      for (const auto& [name, value] : squeeze.attributes) attributes.set(name, value);
      if (!conv.post.empty()) attributes.set("activation", conv.post[0].op->name());
      std::vector<PatchValue> inputs = {conv.input(0), conv.input(1),
                                        conv.base_input_count() > 2 ? conv.input(2) : nullptr};
      for (int i = 1; i < squeeze.base_input_count(); ++i) inputs.emplace_back(squeeze.input(i));
      Patch p(m);
      const PatchValue made = p.add("ConvExcite", std::move(inputs), std::move(attributes), 2);
      p.replace(squeeze.output(), p.add("Mul", {made, made.result(1)}));
      return p;
    },
    .makes = "ConvExcite",
};

const Rule scaled_conv{
    .name = "scaled_conv",
    .pattern = node("Conv", {once(node("Mul"))}).with_post_ops(),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node &conv = m.root(), &mul = m["Mul"];
      if (const Refusal r = cuda::accept_scaled(conv); r.refused()) return decline(r.reason);
      for (int i : {0, 1}) {
        Value *x = mul.input(i), *factors = mul.input(1 - i);
        if (!same_type(x, mul.output()) || !cuda::is_row(*factors, *x)) continue;
        Patch p(m);
        Value* bias = conv.base_input_count() > 2 ? conv.input(2) : nullptr;
        const PatchValue made = p.add("ScaledConv", {x, conv.input(1), bias, factors}, conv.attributes);
        p.take_post_ops(made, conv);
        p.replace(conv.output(), made);
        return p;
      }
      return decline("no factor of the product is a row of channels for each image");
    },
    .makes = "ScaledConv",
};

}  // namespace kiln::passes
