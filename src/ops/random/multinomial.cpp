// Multinomial: sample_size classes for each row of unnormalised logarithms of probabilities.
#include <cmath>

#include "ops/dim_checks.h"
#include "ops/random/random.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

void multinomial_reference(RefCall& c) {
  const RandomElements random(c);
  const Tensor& x = c.input(0);
  const int64_t classes = x.dims()[1], samples = c.output().dims()[1];
  for (int64_t row = 0; row < x.dims()[0]; ++row) {
    double most = -INFINITY, total = 0;
    for (int64_t k = 0; k < classes; ++k) most = std::max(most, x.at(row * classes + k));
    for (int64_t k = 0; k < classes; ++k) total += std::exp(x.at(row * classes + k) - most);
    for (int64_t s = 0; s < samples; ++s) {
      double left = random.uniform(row * samples + s) * total;
      int64_t chosen = 0;
      for (int64_t k = 0; k < classes && left >= 0; ++k) {
        left -= std::exp(x.at(row * classes + k) - most);
        chosen = k;
      }
      c.output().set_int(row * samples + s, chosen);
    }
  }
}

}  // namespace

const OpDef multinomial =
    op("Multinomial")
        .input("input", kFloatTypes)
        .attr("dtype", std::string("int32"))
        .attr("key", int64_t{0})
        .attr("sample_size", int64_t{1})
        .output("output", computed_type([](const ShapeCall& c) { return c.attributes().dtype("dtype", DType::kI32); }))
        .shape([](ShapeCall& c) -> OutputShape {
          require_rank(c, "input", 2);
          return Shape{c.dims(0)[0], Dim(c.integer("sample_size"))};
        })
        .nondeterministic()
        .reference(multinomial_reference);

}  // namespace kiln::ops
