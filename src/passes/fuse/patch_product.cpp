// A convolution of patches that do not overlap, whose pixels become rows, is a product of the patches with the weights.
#include <algorithm>

#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

// Weights [columns, ...] as [..., columns].
Tensor columns_last(const Tensor& weights) {
  const int64_t columns = weights.dims()[0], terms = weights.size() / columns;
  Tensor result = Tensor::allocate(weights.dtype(), {terms, columns});
  for (int64_t c = 0; c < columns; ++c)
    for (int64_t t = 0; t < terms; ++t) copy_elements(weights, c * terms + t, result, t * columns + c, 1);
  return result;
}

bool are_all(const Ints& values, int64_t wanted) {
  return std::all_of(values.begin(), values.end(), [wanted](int64_t v) { return v == wanted; });
}

}  // namespace

const Rule patch_product{
    .name = "patch_product",
    .pattern = node("Transpose", {once(node("Reshape", {once(node("Conv"))}))}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node &conv = m["Conv"], &reshape = m["Reshape"];
      Value *x = conv.input(0), *bias = conv.input(2);
      const Tensor* w = conv.input(1)->constant();
      if (!w || w->rank() != 4 || w->size() == 0 || (bias && !bias->constant()))
        return decline("the weights are not those of images, or not constant");
      const Dims& kernel = w->dims();
      if (integer(conv, "group") != 1 || conv.attributes.ints("strides", {1, 1}) != Ints{kernel[2], kernel[3]} ||
          !are_all(conv.attributes.ints("dilations", {}), 1) || !are_all(conv.attributes.ints("pads", {}), 0))
        return decline("the patches are padded, or they overlap");
      if (kernel[2] * kernel[3] == 1) return decline("a patch is a pixel");
      const std::string auto_pad = text(conv, "auto_pad");
      if (auto_pad != "NOTSET" && auto_pad != "VALID") return decline("auto_pad is " + auto_pad);
      const Shape &image = x->shape(), &pixels = conv.output()->shape(), &rows = reshape.output()->shape();
      for (size_t i : {size_t{2}, size_t{3}})
        if (!image[i].is_constant() || image[i].value() % kernel[i] != 0)
          return decline("the image is no whole patches");
      const int64_t high = pixels[2].value(), wide = pixels[3].value();
      if (!is_told(reshape) || rows.size() != 3 || !(rows[0] == pixels[0]) || !(rows[1] == pixels[1]) ||
          !(rows[2] == Dim(high * wide)) || permutation(m.root()) != Ints{0, 2, 1})
        return decline("the pixels do not become rows");
      const auto shape = [](Ints dims) { return Tensor::of<int64_t>({static_cast<int64_t>(dims.size())}, dims); };
      Patch p(m);
      PatchValue y = p.add("Reshape", {x, p.constant(shape({0, kernel[1], high, kernel[2], wide, kernel[3]}))});
      y = p.add("Transpose", {y}, {{"perm", Ints{0, 2, 4, 1, 3, 5}}});
      y = p.add("Reshape", {y, p.constant(shape({0, high * wide, kernel[1] * kernel[2] * kernel[3]}))});
      y = p.add("MatMul", {y, p.constant(columns_last(*w), conv.input(1)->name())});
      if (bias) y = p.add("Add", {y, bias});
      p.replace(m.root().output(), y);
      return p;
    },
};

}  // namespace kiln::passes
