// An image times a factor for each of its channels, and a 1x1 convolution of few results of it, become one: the product is never stored.
#include <algorithm>

#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

// What a block of the kernels holds.
constexpr int64_t kMostColumns = 128, kMostWeights = 108'000, kRun = 32, kWord = 8;
// Of x, in bytes: fewer stay in second-level caches, and other kernels share the terms of few pixels better.
constexpr int64_t kFewestScaled = 8 << 20;

bool all_equal(const Ints& values, int64_t wanted) {
  return std::all_of(values.begin(), values.end(), [&](int64_t v) { return v == wanted; });
}

bool has_scaling_kernels(const Node& conv) {
  const Value *w = conv.input(1), *bias = conv.base_input_count() > 2 ? conv.input(2) : nullptr;
  if (!w->constant() || w->rank() != 4 || (bias && !bias->constant()) || integer(conv, "group") != 1) return false;
  const Dims& dims = w->constant()->dims();
  const auto whole = [](int64_t n) { return (n + kRun - 1) / kRun * kRun; };
  return dims[2] == 1 && dims[3] == 1 && dims[1] % kWord == 0 && dims[0] <= kMostColumns &&
         whole(dims[0]) * whole(dims[1]) <= kMostWeights && all_equal(conv.attributes.ints("strides", {}), 1) &&
         all_equal(conv.attributes.ints("pads", {}), 0);
}

// One row of channels for each image.
bool is_row(const Value* factors, const Shape& image) {
  return !factors->constant() && factors->ranked() && factors->rank() == 4 &&
         factors->shape() == Shape{image[0], image[1], 1, 1};
}

}  // namespace

const Rule scaled_conv{
    .name = "scaled_conv",
    .pattern = node("Conv", {once(node("Mul"))}).with_post_ops(),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node &conv = m.root(), &mul = m["Mul"];
      const Value* product = mul.output();
      if (!product->ranked() || product->rank() != 4 || bits(product->dtype()) != 16 || !is_float(product->dtype()))
        return decline("the product is no image of 16-bit floats");
      for (int i : {0, 1}) {
        Value *x = mul.input(i), *factors = mul.input(1 - i);
        if (!same_type(x, product) || !is_row(factors, product->shape())) continue;
        if (known_bytes(x) < kFewestScaled) return decline(to_string(x->shape()) + " is not known to be large");
        if (!has_scaling_kernels(conv))
          return decline("the convolution is not 1x1, dense, constant and of few results");
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
    .stage = 3,
};

}  // namespace kiln::passes
