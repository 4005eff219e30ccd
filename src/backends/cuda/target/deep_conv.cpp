// A convolution over depth, rows and columns is one over rows and columns of each depth, where the depths under the window lie side by
// side as channels.
#include "backends/cuda/target/deep_conv.h"

#include <algorithm>

#include "passes/post_ops.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

struct DeepWindow {
  Ints strides, dilations, pads;  // of depth, rows and columns; padding before all, then behind all
};

// Nothing when padding follows from sizes.
std::optional<DeepWindow> deep_window(const Node& n) {
  const std::string padding = text(n, "auto_pad");
  if (padding != "NOTSET" && padding != "VALID" && !padding.empty()) return std::nullopt;
  const auto ints = [&](const char* name, size_t count, int64_t fallback) {
    Ints values = n.attributes.ints(name, {});
    if (values.size() != count) values.assign(count, fallback);
    return values;
  };
  DeepWindow w{ints("strides", 3, 1), ints("dilations", 3, 1), ints("pads", 6, 0)};
  if (padding == "VALID") w.pads.assign(6, 0);
  return w;
}

// All but the batch.
bool has_known_sizes(const Value* v) {
  return std::all_of(v->shape().begin() + 1, v->shape().end(), [](const Dim& d) { return d.is_constant(); });
}

Tensor ints_of(Ints values) { return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values); }

Tensor with_dims(const Tensor& tensor, Dims dims) {
  Tensor result = Tensor::allocate(tensor.dtype(), std::move(dims));
  copy_elements(tensor, 0, result, 0, tensor.size());
  return result;
}

// x [n, channels, depth, rows, columns] as [n * depths of the result, channels * depths of the window, rows, columns].
PatchValue depths_as_channels(Patch& p, const Node& n, const DeepWindow& w) {
  const Shape &x = n.input(0)->shape(), &kernel = n.input(1)->shape(), &y = n.output()->shape();
  PatchValue v = n.input(0);
  if (w.pads[0] > 0 || w.pads[3] > 0)
    v = p.add("Pad", {v, p.constant(ints_of({0, 0, w.pads[0], 0, 0, 0, 0, w.pads[3], 0, 0}))});
  v = p.add("Transpose", {v}, {{"perm", Ints{0, 2, 1, 3, 4}}});
  const int64_t reach = (y[2].value() - 1) * w.strides[0] + 1;
  std::vector<PatchValue> depths;
  for (int64_t k = 0; k < kernel[2].value(); ++k) {
    const int64_t start = k * w.dilations[0];
    const PatchValue part = p.add("Slice", {v, p.constant(ints_of({start})), p.constant(ints_of({start + reach})),
                                            p.constant(ints_of({1})), p.constant(ints_of({w.strides[0]}))});
    depths.push_back(p.add("Unsqueeze", {part, p.constant(ints_of({3}))}));
  }
  if (depths.size() > 1) v = p.add("Concat", depths, {{"axis", int64_t{3}}});
  else v = depths[0];
  const int64_t images = x[0].is_constant() ? x[0].value() * y[2].value() : -1;
  return p.add("Reshape",
               {v, p.constant(ints_of({images, x[1].value() * kernel[2].value(), x[3].value(), x[4].value()}))});
}

}  // namespace

const Rule deep_conv{
    .name = "deep_conv",
    .pattern = node("Conv").with_post_ops(),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& n = m.root();
      const Value* x = n.input(0);
      const Tensor* w = n.input(1)->constant();
      Value* bias = n.base_input_count() > 2 ? n.input(2) : nullptr;
      if (!x->ranked() || x->rank() != 5) return std::nullopt;
      if (!w || w->size() == 0 || (bias && !bias->constant())) return decline("the weights are not constant");
      const auto window = deep_window(n);
      if (!window) return decline("the padding follows from sizes");
      const Shape &y = n.output()->shape(), &kernel = n.input(1)->shape();
      if (!has_known_sizes(x) || !has_known_sizes(n.output()) || y[2] == Dim(0))
        return decline("sizes are known only at run time, or there are none");
      Patch p(m);
      const Dims& dims = w->dims();
      std::vector<PatchValue> inputs = {
          depths_as_channels(p, n, *window),
          p.constant(with_dims(*w, {dims[0], dims[1] * dims[2], dims[3], dims[4]}), n.input(1)->name())};
      if (bias) inputs.emplace_back(bias);
      PatchValue v = p.add("Conv", std::move(inputs),
                           {{"group", integer(n, "group")},
                            {"strides", Ints{window->strides[1], window->strides[2]}},
                            {"dilations", Ints{window->dilations[1], window->dilations[2]}},
                            {"pads", Ints{window->pads[1], window->pads[2], window->pads[4], window->pads[5]}}});
      const bool inside = acts_on_elements_alone(n);
      if (inside) p.take_post_ops(v, n);
      const int64_t batch = y[0].is_constant() ? y[0].value() : -1;
      v = p.add("Reshape",
                {v, p.constant(ints_of({batch, y[2].value(), kernel[0].value(), y[3].value(), y[4].value()}))});
      v = p.add("Transpose", {v}, {{"perm", Ints{0, 2, 1, 3, 4}}});
      if (!inside) v = with_post_ops_behind(p, n, v);
      p.replace(n.output(), v);
      return p;
    },
};

}  // namespace kiln::passes
