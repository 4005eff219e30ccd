// What squeeze-and-excite does to an image, from the mean of its pixels to their product with the factors, becomes one operation.
#include <algorithm>

#include "passes/post_ops.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

constexpr int64_t kMostSqueezed = 2048;  // channels of x, and between the convolutions
constexpr int64_t kWholeWords = 8;       // channels that are moved at once

bool are_only(const Ints& values, int64_t wanted) {
  return std::all_of(values.begin(), values.end(), [&](int64_t v) { return v == wanted; });
}

bool is_mean_of_image(const Node& mean) {
  if (mean.is("GlobalAveragePool")) return true;
  auto axes = mean.input(1) ? known_ints(mean.input(1)) : std::nullopt;
  if (!axes || integer(mean, "keepdims") != 1) return false;
  for (int64_t& axis : *axes) axis = normalize_axis(axis, 4);
  std::sort(axes->begin(), axes->end());
  return *axes == Ints{2, 3};
}

Value* own_bias(const Node& conv) { return conv.base_input_count() > 2 ? conv.input(2) : nullptr; }

// A convolution of a pixel with constants, and one activation.
bool is_step(const Node& conv) {
  const Value *w = conv.input(1), *bias = own_bias(conv);
  return w->constant() && w->rank() == 4 && w->shape()[2] == Dim(1) && w->shape()[3] == Dim(1) &&
         integer(conv, "group") == 1 && are_only(conv.attributes.ints("strides", {}), 1) &&
         are_only(conv.attributes.ints("pads", {}), 0) && (!bias || bias->constant()) && conv.post.size() == 1 &&
         conv.post[0].operands.size() == 1;
}

// The activations as attributes; nothing when the kernels have others.
std::optional<Attributes> activations(const ir::PostOp& squeeze, const ir::PostOp& excite) {
  if (!is_plain_activation(squeeze)) return std::nullopt;
  Attributes attributes{{"squeeze_activation", squeeze.op->name()}, {"excite_activation", excite.op->name()}};
  if (excite.op->name() == "HardSigmoid") {
    for (const char* name : {"alpha", "beta"})
      if (const Attribute* value = excite.attributes.find(name)) attributes.set(name, *value);
    return attributes;
  }
  if (excite.op->name() != "Sigmoid") return std::nullopt;
  return attributes;
}

// Both convolutions' weights, once for each image. Beyond some 16 million products for all images are faster.
constexpr double kMostRead = 1 << 24;
double weights_read(const Shape& squeeze, int64_t images) {
  return 2.0 * static_cast<double>(squeeze[0].value()) * static_cast<double>(squeeze[1].value()) *
         static_cast<double>(images);
}

}  // namespace

const Rule squeeze_excite{
    .name = "squeeze_excite",
    .pattern = node(
        "Mul", {any("x"),
                once(node("Conv",
                          {once(node("Conv", {once(one_of({"GlobalAveragePool", "ReduceMean"}, {any("x")}).as("mean"))})
                                    .as("squeeze")
                                    .with_post_ops())})
                         .as("excite")
                         .with_post_ops())}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node &squeeze = m["squeeze"], &excite = m["excite"];
      Value* x = m.value("x");
      if (!x->ranked() || x->rank() != 4 || !same_type(x, m.root().output())) return decline("x is no image");
      if (x->dtype() != DType::kF32 && x->dtype() != DType::kF16 && x->dtype() != DType::kBF16)
        return decline("the type of x is " + std::string(name(x->dtype())));
      if (!is_mean_of_image(m["mean"])) return decline("the mean is not that of the pixels of an image");
      if (!is_step(squeeze) || !is_step(excite))
        return decline("a convolution is not 1x1, dense, constant and followed by one activation");
      const Shape& w = squeeze.input(1)->shape();
      if (w[0].value() > kMostSqueezed || w[1].value() > kMostSqueezed || w[1].value() % kWholeWords != 0)
        return decline("the convolutions have weights " + to_string(w));
      if (const Dim& images = x->shape()[0]; images.is_constant() && weights_read(w, images.value()) > kMostRead)
        return decline(to_string(x->shape()) + " would read weights " + to_string(w) + " for each image");
      auto attributes = activations(squeeze.post[0], excite.post[0]);
      if (!attributes) return decline("the kernels have other activations");
      Patch p(m);
      p.replace(m.root().output(),
                p.add("SqueezeExcite", {x, squeeze.input(1), own_bias(squeeze), excite.input(1), own_bias(excite)},
                      std::move(*attributes)));
      return p;
    },
    .makes = "SqueezeExcite",
    .stage = 2,
};

}  // namespace kiln::passes
