// Dequantized bytes that are resized by weights and quantized again are one step from bytes to bytes, with the same results.
#include <algorithm>

#include "base/index.h"
#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"
#include "tensor/sampling.h"

namespace kiln::passes {
namespace {

bool is_given(const Value* v) { return v && !(v->constant() && v->constant()->size() == 0); }

// Rows before columns: sums in another order are rounded otherwise.
bool resizes_pixels(const Node& resize, int64_t rank) {
  Ints axes = resize.attributes.ints("axes", {});
  for (int64_t& axis : axes) axis = axis < 0 ? axis + rank : axis;
  if (!resize.attributes.has("axes"))
    for (int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  const Tensor* scales = is_given(resize.input(2)) ? resize.input(2)->constant() : nullptr;
  for (size_t i = 0; i < axes.size(); ++i) {
    const bool keeps = nth(resize.input(0)->shape(), axes[i]) == nth(resize.output()->shape(), axes[i]) &&
                       (!scales || scales->at(static_cast<int64_t>(i)) == 1);
    if (axes[i] < 2 && !keeps) return false;
  }
  return std::is_sorted(axes.begin(), axes.end());
}

// By scales or sizes that are known, whose axes are resized each by itself.
bool is_known(const Node& resize) {
  const Value *scales = resize.input(2), *sizes = resize.input(3);
  if (!is_given(scales)) return sizes && sizes->constant() && text(resize, "keep_aspect_ratio_policy") == "stretch";
  if (!scales->constant()) return false;
  std::vector<double> factors;
  for (int64_t i = 0; i < scales->constant()->size(); ++i) factors.push_back(scales->constant()->at(i));
  return kernels_take_scales(factors);
}

bool is_one_constant(const Value* zero) { return !zero || (zero->constant() && zero->constant()->size() == 1); }

}  // namespace

const Rule quantized_resize{
    .name = "quantized_resize",
    .pattern = node("Quantize", {once(node("Resize").as("resize"))}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node &n = m.root(), &resize = m["resize"];
      if (text(resize, "mode") == "nearest") return std::nullopt;
      const auto from = dequantized(resize.input(0));
      if (!from) return decline("what is resized is not dequantized");
      if (!kByteTypes.has(from->integers->dtype()) || !kByteTypes.has(n.output()->dtype()))
        return decline("the integers are not bytes");
      const int64_t rank = from->integers->ranked() && resize.output()->ranked() ? from->integers->rank() : 0;
      if (rank != 3 && rank != 4) return decline("they are no lines and no images");
      if (!one_scale(from->scale) || !one_scale(n.input(1)) || !is_one_constant(from->zero_point) ||
          !is_one_constant(n.input(2)))
        return decline("scale or zero point are not one sound number");
      if (text(resize, "coordinate_transformation_mode") == "tf_crop_and_resize" || !is_known(resize))
        return decline("its sizes are not known, or it crops");
      if (!resizes_pixels(resize, rank)) return decline("it resizes channels, or columns before rows");
      Patch p(m);
      Attributes attributes = resize.attributes;
      attributes.set("to", std::string(name(n.output()->dtype())));
      std::vector<Value*> inputs{from->integers};
      for (int i : {1, 2, 3}) inputs.push_back(is_given(resize.input(i)) ? resize.input(i) : nullptr);
      inputs.insert(inputs.end(), {from->scale, n.input(1), from->zero_point, n.input(2)});
      while (!inputs.back()) inputs.pop_back();
      p.replace(n.output(), p.add("QuantizedResize", {inputs.begin(), inputs.end()}, std::move(attributes)));
      return p;
    },
    .makes = "QuantizedResize",
};

}  // namespace kiln::passes
