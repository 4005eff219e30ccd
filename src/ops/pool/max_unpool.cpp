// MaxUnpool: puts each element of x where MaxPool's indices say; zeros elsewhere.
#include "base/index.h"
#include "ops/conv/window.h"
#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

// The shape that the window attributes give: what MaxPool had as its input.
Shape pooled_from(const ShapeCall& c) {
  require_rank(c, "x", 3, INT64_MAX);
  const Shape& x = c.dims("x");
  const Ints kernel = c.ints("kernel_shape");
  const size_t rank = x.size() - 2;
  if (kernel.size() != rank)
    throw Error(Code::kShapeMismatch, "kernel_shape has " + std::to_string(kernel.size()) + " values, x has " +
                                          std::to_string(rank) + " spatial dimensions");
  const Ints strides = window_ints(c, "strides", rank, 1, 1), pads = window_ints(c, "pads", 2 * rank, 0, 0);
  Shape y{x[0], x[1]};
  for (size_t i = 0; i < rank; ++i)
    y.push_back((x[i + 2] - 1) * Dim(strides[i]) + kernel[i] - pads[i] - pads[rank + i]);
  return y;
}

OutputShape max_unpool_shape(ShapeCall& c) {
  const Shape inferred = pooled_from(c);
  require_rank(c, "i", c.rank("x"));
  for (size_t k = 0; k < inferred.size(); ++k)
    require_same(c.dims("x")[k], c.dims("i")[k], "dimensions of x and its indices");
  if (!c.present("output_shape")) return inferred;
  require_vector(c, "output_shape", c.rank("x"));
  const auto shape = c.elements("output_shape");
  return shape ? Shape(*shape) : c.unknown_shape(0, c.rank("x"));
}

// Indices count in the inferred shape, which lies in the low corner of a larger output.
void max_unpool_reference(RefCall& c) {
  const Dims inferred = static_dims(pooled_from(c.shapes())), own = row_major_strides(inferred);
  const Dims &out = c.output().dims(), to = row_major_strides(out);
  const std::vector<double> x = doubles(c.input("x"));
  const std::vector<int64_t> indices = integers(c.input("i"));
  std::vector<double> y(static_cast<size_t>(c.output().size()), 0.0);
  for (size_t i = 0; i < x.size(); ++i) {
    if (indices[i] < 0 || indices[i] >= element_count(inferred))
      throw Error(Code::kInvalidArgument,
                  "MaxUnpool index " + std::to_string(indices[i]) + " is outside " + to_string(inferred));
    int64_t rest = indices[i], at = 0;
    for (size_t k = 0; k < own.size(); ++k) {
      if (rest / own[k] >= out[k])
        throw Error(Code::kInvalidArgument,
                    "MaxUnpool index " + std::to_string(indices[i]) + " is outside the output " + to_string(out));
      at += rest / own[k] * to[k];
      rest %= own[k];
    }
    nth(y, at) = x[i];
  }
  store(c.output(), y);
}

}  // namespace

const OpDef max_unpool = op("MaxUnpool")
                             .input("x", kFloatTypes)
                             .input("i", DType::kI64)
                             .optional_input("output_shape", DType::kI64)
                             .required_attr("kernel_shape", Ints{})
                             .attr("pads", Ints{})
                             .attr("strides", Ints{})
                             .output("output", same_type("x"))
                             .shape(max_unpool_shape)
                             .reference(max_unpool_reference);

}  // namespace kiln::ops
