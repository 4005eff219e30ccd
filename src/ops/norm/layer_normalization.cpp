// LayerNormalization: over the axes from `axis` on, (x - mean) / sqrt(variance + epsilon) * scale + b.
#include "base/index.h"
#include "ops/dim_checks.h"
#include "ops/norm/normalize.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

std::vector<OutputShape> layer_normalization_shapes(ShapeCall& c) {
  const Shape& x = c.dims("x");
  const auto axis = static_cast<size_t>(c.axis("axis", c.rank("x")));
  for (const char* name : {"scale", "b"})
    if (c.present(name) && broadcast(x, c.dims(name)).size() != x.size())
      throw Error(Code::kShapeMismatch,
                  std::string(name) + " " + to_string(c.dims(name)) + " has a higher rank than x " + to_string(x));
  Shape statistics = x;
  for (size_t i = axis; i < statistics.size(); ++i) statistics[i] = 1;
  return {x, statistics, statistics};
}

void layer_normalization_reference(RefCall& c) {
  const Dims& dims = c.input("x").dims();
  const auto axis = static_cast<size_t>(c.axis("axis", c.input("x").rank()));
  const int64_t outer = product(dims, 0, axis), inner = product(dims, axis, dims.size());
  std::vector<double> x = doubles(c.input("x")), means(static_cast<size_t>(outer)), inverses(means.size());
  for (int64_t o = 0; o < outer; ++o) {
    const auto [mean, inverse] = normalize(x.data() + o * inner, inner, c.real("epsilon"));
    nth(means, o) = mean;
    nth(inverses, o) = inverse;
  }
  scale_and_shift(x, dims, c.input("scale"), c.present("b") ? &c.input("b") : nullptr);
  store(c.output(), x);
  if (c.wants(1)) store(c.output(1), means);
  if (c.wants(2)) store(c.output(2), inverses);
}

}  // namespace

const OpDef layer_normalization = op("LayerNormalization")
                                      .input("x", kFloatTypes)
                                      .input("scale", kFloatTypes, "x")
                                      .optional_input("b", kFloatTypes, "x")
                                      .attr("axis", int64_t{-1})
                                      .attr("epsilon", 1e-5)
                                      .attr("stash_type", std::string("float32"))
                                      .output("y", same_type("x"))
                                      .optional_output("mean", type_from("stash_type"))
                                      .optional_output("inv_std_dev", type_from("stash_type"))
                                      .shapes(layer_normalization_shapes)
                                      .reference(layer_normalization_reference)
                                      .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
