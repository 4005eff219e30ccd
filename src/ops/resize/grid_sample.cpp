// GridSample: samples x [n,c,spatial...] at the points of grid [n,out...,rank], whose coordinates are in [-1, 1] and last dimension first.
#include "base/index.h"
#include "base/require.h"
#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"
#include "tensor/grid_sampling.h"

namespace kiln::ops {
namespace {

OutputShape grid_sample_shape(ShapeCall& c) {
  require_rank(c, "x", 3, 10);
  require_rank(c, "grid", c.rank("x"));
  const Shape &x = c.dims("x"), &grid = c.dims("grid");
  require_same(x[0], grid[0], "batch of x and grid");
  require_same(grid.back(), Dim(c.rank("x") - 2), "coordinates of a grid point and spatial dimensions of x");
  Shape y{x[0], x[1]};
  y.insert(y.end(), grid.begin() + 1, grid.end() - 1);
  return y;
}

GridSampler sampler_of(const ShapeCall& c, Dims dims) {
  return GridSampler::named(c.text("mode"), c.text("padding_mode"), c.integer("align_corners") != 0, std::move(dims));
}

void grid_sample_reference(RefCall& c) {
  const Dims& x_dims = c.input("x").dims();
  const GridSampler sampler = sampler_of(c.shapes(), Dims(x_dims.begin() + 2, x_dims.end()));
  if (c.output().size() == 0) return;
  const std::vector<double> x = doubles(c.input("x")), grid = doubles(c.input("grid"));
  const int64_t rank = c.input("x").rank() - 2, plane = element_count(sampler.dims),
                points = c.output().size() / (x_dims[0] * x_dims[1]);
  require(plane != 0, Code::kShapeMismatch, "GridSample of an empty plane");
  std::vector<double> y(static_cast<size_t>(c.output().size()), 0.0);
  std::vector<GridTerm> terms(size_t{1} << (2 * rank));
  for (int64_t n = 0; n < x_dims[0]; ++n)
    for (int64_t p = 0; p < points; ++p) {
      const size_t count = sampler.terms_at(grid.data() + (n * points + p) * rank, terms.data());
      for (int64_t k = 0; k < x_dims[1]; ++k)
        for (size_t t = 0; t < count; ++t)
          nth(y, (n * x_dims[1] + k) * points + p) +=
              terms[t].weight * nth(x, (n * x_dims[1] + k) * plane + terms[t].offset);
    }
  round_to_type(y, c.output().dtype());
  store(c.output(), y);
}

}  // namespace

const OpDef grid_sample = op("GridSample")
                              .input("x", kNumericTypes | kBoolType)
                              .input("grid", kFloatTypes)
                              .attr("align_corners", int64_t{0})
                              .attr("mode", std::string("linear"))
                              .attr("padding_mode", std::string("zeros"))
                              .output("y", same_type("x"))
                              .shape([](ShapeCall& c) {
                                (void)sampler_of(c, {});  // names that ONNX does not have
                                return grid_sample_shape(c);
                              })
                              .reference(grid_sample_reference)
                              .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
