// The convolutions at a network's entrance.
#include "backends/cuda/target/first_layers.h"

#include "backends/cuda/device/cu/conv_few.h"
#include "backends/cuda/target/window.h"

namespace kiln::cuda {
namespace {

bool has_few_channels(const ir::Node& conv) {
  if (!conv.is("Conv") || !conv.input(0) || !conv.input(1) || !conv.input(1)->constant()) return false;
  const Shape& x = conv.input(0)->shape();
  return x.size() == 4 && x[1].is_constant() && x[1].value() <= kFewChannels &&
         conv.attributes.integer("group", 1) == 1;
}

// The Cast to a shorter type that made x; null: none did.
ir::Node* cast_before(const ir::Value& x) {
  ir::Node* cast = x.producer();
  const bool shortens = cast && cast->is("Cast") && cast->post.empty() && cast->input(0)->dtype() == DType::kF32 &&
                        (x.dtype() == DType::kF16 || x.dtype() == DType::kBF16);
  return shortens ? cast : nullptr;
}

// Whether the kernel takes the convolution with a Cast before it: no other one does.
bool takes_cast(const ir::Node& conv) {
  const Dims& w = conv.input(1)->constant()->dims();
  const ir::Value* bias = conv.base_input_count() > 2 ? conv.input(2) : nullptr;
  if ((bias && !bias->constant()) || element_count(w) == 0) return false;
  const SlidingWindow window = window_of(conv.attributes, Ints(w.begin() + 2, w.end()));
  return !accept_few_window(window, bits(conv.input(1)->dtype()) / 8).refused();
}

}  // namespace
}  // namespace kiln::cuda

namespace kiln::passes {

const Rule cast_conv{
    .name = "cast_conv",
    .pattern = node("Conv").with_post_ops(),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& conv = m.root();
      if (!cuda::has_few_channels(conv)) return std::nullopt;
      Node* cast = cuda::cast_before(*conv.input(0));
      if (!cast || !cuda::takes_cast(conv)) return std::nullopt;
      Patch p(m);
      p.absorb(*cast);
      std::vector<PatchValue> inputs = {cast->input(0), conv.input(1)};
      if (conv.base_input_count() > 2) inputs.emplace_back(conv.input(2));
      const PatchValue made = p.add("CastConv", std::move(inputs), conv.attributes);
      p.take_post_ops(made, conv);
      p.replace(conv.output(), made);
      return p;
    },
    .makes = "CastConv",
};

}  // namespace kiln::passes
