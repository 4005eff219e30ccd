// Walks a tensor line by line along one axis.
#pragma once
#include <cmath>
#include <limits>
#include <vector>

#include "ops/op.h"
#include "ops/reference_math.h"

namespace kiln::ops {

// Replaces each line of input 0 along the attribute `axis` by what `function` makes of it in place.
template <class Function> void map_lines(RefCall& c, Function&& function) {
  const Tensor& x = c.input(0);
  std::vector<double> values = doubles(x);
  if (values.empty()) return;
  const auto axis = static_cast<size_t>(c.axis("axis", x.rank()));
  const auto extent = static_cast<size_t>(x.dims()[axis]);
  const auto stride = static_cast<size_t>(product(x.dims(), axis + 1, x.dims().size()));
  std::vector<double> line(extent);
  for (size_t outer = 0; outer < values.size(); outer += extent * stride)
    for (size_t inner = 0; inner < stride; ++inner) {
      double* first = values.data() + outer + inner;
      for (size_t i = 0; i < extent; ++i) line[i] = first[i * stride];
      function(line);
      for (size_t i = 0; i < extent; ++i) first[i * stride] = line[i];
    }
  store(c.output(), values);
}

inline double largest(const std::vector<double>& line) {
  double result = -std::numeric_limits<double>::infinity();
  for (double v : line) result = std::isnan(v) || v > result ? v : result;
  return result;
}

// An operator along an axis: the shape of the input, whose axis must exist.
inline OutputShape shape_along_axis(ShapeCall& c) {
  c.axis("axis", c.rank("input"));
  return c.dims("input");
}

}  // namespace kiln::ops
