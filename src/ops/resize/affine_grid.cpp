// AffineGrid: the points of a regular grid over [-1, 1], each moved by theta; the input of GridSample.
#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape affine_grid_shape(ShapeCall& c) {
  require_rank(c, "theta", 3);
  require_rank(c, "size", 1);
  const Shape &theta = c.dims("theta"), &count = c.dims("size");
  if (count[0].is_constant() && count[0].value() != 4 && count[0].value() != 5)
    throw Error(Code::kShapeMismatch, "AffineGrid has a size of " + count[0].str() + " numbers")
        .remedy("give [n,c,h,w] or [n,c,d,h,w]");
  const Dim rank = count[0] - 2;
  require_same(theta[1], rank, "rows of theta and spatial dimensions");
  require_same(theta[2], rank + 1, "columns of theta and spatial dimensions plus 1");
  const auto size = c.elements("size");
  if (!size && !count[0].is_constant()) return unranked();
  Shape y{theta[0]};
  for (int64_t i = 0; i < count[0].value() - 2; ++i)
    y.push_back(size ? (*size)[static_cast<size_t>(i) + 2] : c.unknown_dim(0, static_cast<int>(i) + 1));
  y.push_back(rank);
  return y;
}

double grid_coordinate(int64_t i, int64_t length, bool corners) {
  if (corners) return length == 1 ? -1 : -1 + 2.0 * static_cast<double>(i) / static_cast<double>(length - 1);
  return -1 + (2.0 * static_cast<double>(i) + 1) / static_cast<double>(length);
}

void affine_grid_reference(RefCall& c) {
  const std::vector<double> theta = doubles(c.input("theta"));
  const Dims dims = c.output().dims();
  const auto rank = static_cast<size_t>(dims.back());
  const Dims walk(dims.begin(), dims.end() - 1);
  std::vector<double> y(static_cast<size_t>(c.output().size()));
  Dims index(walk.size(), 0);
  for (size_t at = 0; at < y.size(); at += rank) {
    for (size_t row = 0; row < rank; ++row) {
      const double* line = theta.data() + (static_cast<size_t>(index[0]) * rank + row) * (rank + 1);
      double sum = line[rank];
      for (size_t k = 0; k < rank; ++k)
        sum += line[k] * grid_coordinate(index[rank - k], dims[rank - k], c.integer("align_corners") != 0);
      y[at + row] = sum;
    }
    advance(index, walk);
  }
  store(c.output(), y);
}

}  // namespace

const OpDef affine_grid = op("AffineGrid")
                              .input("theta", kFloatTypes)
                              .input("size", DType::kI64)
                              .attr("align_corners", int64_t{0})
                              .output("grid", same_type("theta"))
                              .shape(affine_grid_shape)
                              .reference(affine_grid_reference)
                              .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
