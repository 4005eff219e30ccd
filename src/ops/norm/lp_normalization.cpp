// LpNormalization: x divided by its 1- or 2-norm along an axis; 0 where the norm is 0.
#include <cmath>

#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

void lp_normalization_reference(RefCall& c) {
  const Dims& dims = c.input("input").dims();
  const auto axis = static_cast<size_t>(c.axis("axis", c.input("input").rank()));
  const int64_t outer = product(dims, 0, axis), extent = dims[axis], inner = product(dims, axis + 1, dims.size());
  std::vector<double> x = doubles(c.input("input"));
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i) {
      double* line = x.data() + o * extent * inner + i;
      double norm = 0;
      for (int64_t k = 0; k < extent; ++k)
        norm += c.integer("p") == 1 ? std::abs(line[k * inner]) : line[k * inner] * line[k * inner];
      if (c.integer("p") == 2) norm = std::sqrt(norm);
      for (int64_t k = 0; k < extent; ++k) line[k * inner] = norm == 0 ? 0 : line[k * inner] / norm;
    }
  store(c.output(), x);
}

}  // namespace

const OpDef lp_normalization =
    op("LpNormalization")
        .input("input", kFloatTypes)
        .attr("axis", int64_t{-1})
        .attr("p", int64_t{2})
        .output("output", same_type("input"))
        .shape([](ShapeCall& c) -> OutputShape {
          c.axis("axis", c.rank("input"));
          if (c.integer("p") != 1 && c.integer("p") != 2)
            throw Error(Code::kInvalidArgument, "LpNormalization has p " + std::to_string(c.integer("p")))
                .remedy("p is 1 or 2");
          return c.dims("input");
        })
        .reference(lp_normalization_reference)
        .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
