// What CumSum and CumProd share.
#include "ops/index/cumulative.h"

#include "base/error.h"
#include "ops/reference_math.h"

namespace kiln::ops {
namespace {

template <class T> void accumulate(RefCall& c, const std::vector<T>& x, T first, T (*combine)(T, T)) {
  const Dims& dims = c.input("x").dims();
  const Tensor& axis_input = c.input("axis");
  if (axis_input.size() != 1)
    throw Error(Code::kShapeMismatch, c.input("axis").type_string() + " names no single axis");
  const auto axis = static_cast<size_t>(normalize_axis(axis_input.int_at(0), c.input("x").rank()));
  const int64_t extent = dims[axis], inner = product(dims, axis + 1, dims.size());
  const bool reverse = c.integer("reverse") != 0, exclusive = c.integer("exclusive") != 0;
  std::vector<T> y(x.size());
  for (int64_t o = 0; o < product(dims, 0, axis); ++o)
    for (int64_t i = 0; i < inner; ++i) {
      T so_far = first;
      for (int64_t j = 0; j < extent; ++j) {
        const auto at = static_cast<size_t>((o * extent + (reverse ? extent - 1 - j : j)) * inner + i);
        const T with = combine(so_far, x[at]);
        y[at] = exclusive ? so_far : with;
        so_far = with;
      }
    }
  store(c.output(), y);
}

}  // namespace

OpDef cumulative(std::string name, double first, double (*combine)(double, double),
                 int64_t (*combine_integers)(int64_t, int64_t)) {
  return op(std::move(name))
      .input("x", kFloatTypes | TypeSet{DType::kI32, DType::kI64, DType::kU32, DType::kU64})
      .input("axis", kIndexTypes)
      .attr("exclusive", int64_t{0})
      .attr("reverse", int64_t{0})
      .output("y", same_type("x"))
      .shape([](ShapeCall& c) { return c.dims("x"); })
      .accuracy(Accuracy::kReduction)
      .reference([=](RefCall& c) {
        if (is_float(c.input("x").dtype())) accumulate(c, doubles(c.input("x")), first, combine);
        else accumulate(c, integers(c.input("x")), static_cast<int64_t>(first), combine_integers);
      });
}

}  // namespace kiln::ops
