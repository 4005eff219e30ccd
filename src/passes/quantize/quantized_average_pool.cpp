// The mean of windows of dequantized bytes that is quantized again is one step from bytes to bytes, with the same results: float64 holds the
// sums exactly, in any order.
#include <algorithm>

#include "passes/pass.h"
#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"

namespace kiln::passes {
namespace {

constexpr int64_t kMostElements = int64_t{1} << 20;  // of a window: their sum has 24 + 8 + 20 bits at most

// The axes behind the channels.
Ints spatial_axes(int64_t rank) {
  Ints axes;
  for (int64_t axis = 2; axis < rank; ++axis) axes.push_back(axis);
  return axes;
}

bool reduces_pixels(const Node& n) {
  auto axes = n.input(1) ? known_ints(n.input(1)) : std::optional(n.attributes.ints("axes", {}));
  if (!axes || !n.input(0)->ranked()) return false;
  const int64_t rank = n.input(0)->rank();
  for (int64_t& axis : *axes) axis = axis < 0 ? axis + rank : axis;
  std::sort(axes->begin(), axes->end());
  return *axes == spatial_axes(rank);
}

bool is_mean(const Node& n) {
  return n.post.empty() &&
         (n.is("AveragePool") || n.is("GlobalAveragePool") || (n.is("ReduceMean") && reduces_pixels(n)));
}

// The elements of the largest window; nothing when only running tells.
std::optional<int64_t> window_elements(const Node& mean, const PassOptions& options) {
  if (mean.is("AveragePool")) {
    int64_t count = 1;
    for (int64_t k : mean.attributes.ints("kernel_shape")) count = std::min(count * k, kMostElements + 1);
    return count;
  }
  const Shape& x = mean.input(0)->shape();
  int64_t count = 1;
  for (size_t axis = 2; axis < x.size(); ++axis) {
    const auto size = largest_size(x[axis], options);
    if (!size) return std::nullopt;
    count = std::min(count * std::min(*size, kMostElements + 1), kMostElements + 1);
  }
  return count;
}

// What is between the mean and its quantization: nothing, or a product by one number.
struct Means {
  const Node* node = nullptr;
  Value* factor = nullptr;
};
std::optional<Means> means_of(const Value* v) {
  const Node* n = v->producer();
  if (!n || !v->has_one_use()) return std::nullopt;
  if (is_mean(*n)) return Means{n};
  if (!n->is("Mul") || !n->post.empty()) return std::nullopt;
  for (int i : {0, 1}) {
    const Node* mean = n->input(i)->producer();
    if (mean && n->input(i)->has_one_use() && is_mean(*mean) && one_scale(n->input(1 - i)) &&
        n->input(1 - i)->rank() <= n->input(i)->rank())
      return Means{mean, n->input(1 - i)};
  }
  return std::nullopt;
}

// A zero point that is one number, or absent.
bool is_one(const Value* zero) { return !zero || (zero->constant() && zero->constant()->size() == 1); }

}  // namespace

const Rule quantized_average_pool{
    .name = "quantized_average_pool",
    .pattern = node("Quantize"),
    .rewrite_within = [](const Match& m, const PassOptions& options) -> std::optional<Patch> {
      const Node& n = m.root();
      const auto means = means_of(n.input(0));
      if (!means) return std::nullopt;
      const Node& mean = *means->node;
      const auto from = dequantized(mean.input(0));
      if (!from) return decline("what is averaged is not dequantized");
      if (!kByteTypes.has(from->integers->dtype()) || !kByteTypes.has(n.output()->dtype()))
        return decline("the integers are not bytes");
      const int64_t rank = from->integers->ranked() ? from->integers->rank() : 0;
      if (rank != 3 && rank != 4) return decline("they are no lines and no images");
      if (!one_scale(from->scale) || !one_scale(n.input(1)) || !is_one(from->zero_point) || !is_one(n.input(2)))
        return decline("scale or zero point are not one sound number");
      if (!same_type(n.input(0), mean.output())) return decline("the factor has more dimensions");
      const auto elements = window_elements(mean, options);
      if (!elements || *elements > kMostElements)
        return decline("the windows may have more elements than are summed exactly");
      Patch p(m);
      for (Node* part : {n.input(0)->producer(), mean.output()->producer()})
        if (part != &n) p.absorb(*part);
      Attributes attributes = mean.is("AveragePool") ? mean.attributes : Attributes{{"global", int64_t{1}}};
      attributes.set("to", std::string(name(n.output()->dtype())));
      std::vector<Value*> parameters{from->zero_point, n.input(2), means->factor};
      while (!parameters.empty() && !parameters.back()) parameters.pop_back();
      std::vector<PatchValue> inputs{from->integers, from->scale, n.input(1)};
      for (Value* v : parameters) inputs.push_back(v ? PatchValue(v) : PatchValue());
      PatchValue y = p.add("QuantizedAveragePool", std::move(inputs), std::move(attributes));
      if (mean.is("ReduceMean") && integer(mean, "keepdims") == 0)
        y = p.add("Squeeze", {y, p.constant(Tensor::of<int64_t>({rank - 2}, spatial_axes(rank)))});
      p.replace(n.output(), y);
      return p;
    },
    .makes = "QuantizedAveragePool",
};

}  // namespace kiln::passes
