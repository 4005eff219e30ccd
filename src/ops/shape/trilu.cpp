// Trilu: the upper or lower triangle of matrices, counted from diagonal k; zero elsewhere.
#include "base/error.h"
#include "ops/movement.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape trilu_shape(ShapeCall& c) {
  if (c.rank("input") < 2)
    throw Error(Code::kShapeMismatch, "Trilu of " + to_string(c.dims("input"))).cause("it takes matrices");
  return c.dims("input");
}

void trilu_reference(RefCall& c) {
  const Tensor& input = c.input("input");
  const int64_t columns = input.dims().back(), rows = input.dims()[input.dims().size() - 2];
  const int64_t k = c.present("k") ? c.input("k").int_at(0) : 0;
  const bool upper = c.integer("upper") != 0;
  std::vector<int64_t> positions;
  for (int64_t i = 0; i < input.size(); ++i) {
    const int64_t row = i / columns % rows, column = i % columns;
    const bool keep = upper ? column - row >= k : column - row <= k;
    positions.push_back(keep ? i : -1);
  }
  pick(input, positions, c.output());
}

}  // namespace

const OpDef trilu = op("Trilu")
                        .input("input", kAnyType)
                        .optional_input("k", DType::kI64)
                        .attr("upper", int64_t{1})
                        .output("output", same_type("input"))
                        .shape(trilu_shape)
                        .reference(trilu_reference);

}  // namespace kiln::ops
