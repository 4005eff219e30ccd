// RMSNormalization: over the axes from `axis` on, x / sqrt(mean(x^2) + epsilon) * scale; the output has the type of scale.
#include <cmath>

#include "ops/dim_checks.h"
#include "ops/norm/normalize.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape rms_normalization_shape(ShapeCall& c) {
  const Shape& x = c.dims("x");
  c.axis("axis", c.rank("x"));
  if (broadcast(x, c.dims("scale")).size() != x.size())
    throw Error(Code::kShapeMismatch,
                "scale " + to_string(c.dims("scale")) + " has a higher rank than x " + to_string(x));
  return x;
}

void rms_normalization_reference(RefCall& c) {
  const Dims& dims = c.input("x").dims();
  const auto axis = static_cast<size_t>(c.axis("axis", c.input("x").rank()));
  const int64_t outer = product(dims, 0, axis), inner = product(dims, axis, dims.size());
  std::vector<double> x = doubles(c.input("x"));
  for (int64_t o = 0; o < outer; ++o) {
    double* row = x.data() + o * inner;
    double squares = 0;
    for (int64_t i = 0; i < inner; ++i) squares += row[i] * row[i];
    const double inverse = 1 / std::sqrt(squares / static_cast<double>(inner) + c.real("epsilon"));
    for (int64_t i = 0; i < inner; ++i) row[i] *= inverse;
  }
  scale_and_shift(x, dims, c.input("scale"), nullptr);
  store(c.output(), x);
}

}  // namespace

const OpDef rms_normalization = op("RMSNormalization")
                                    .input("x", kFloatTypes)
                                    .input("scale", kFloatTypes)
                                    .attr("axis", int64_t{-1})
                                    .attr("epsilon", 1e-5)
                                    .attr("stash_type", std::string("float32"))
                                    .output("y", same_type("scale"))
                                    .shape(rms_normalization_shape)
                                    .reference(rms_normalization_reference)
                                    .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
