// Transpose: axis i of the result is axis perm[i] of the input; the axes reversed without perm.
#include "base/error.h"
#include "ops/movement.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

Ints permutation(const ShapeCall& c) {
  const int64_t rank = c.rank("data");
  Ints perm = c.ints("perm");
  if (!c.has_attr("perm"))
    for (int64_t i = rank; i-- > 0;) perm.push_back(i);
  if (static_cast<int64_t>(perm.size()) != rank || static_cast<int64_t>(normalized_axes(perm, rank).size()) != rank)
    throw Error(Code::kInvalidArgument, "Transpose of rank " + std::to_string(rank) + " with perm " + to_string(perm));
  for (int64_t& p : perm) p = normalize_axis(p, rank);
  return perm;
}

std::optional<std::vector<Dim>> transpose_elements(ShapeCall& c) {
  auto elements = few_elements(c, "data");
  if (!elements || !is_static(c.dims("data"))) return std::nullopt;
  const Dims dims = static_dims(c.dims("data"));
  const Ints perm = permutation(c);
  return pick(*elements, strided_positions(0, permuted(dims, perm), permuted(row_major_strides(dims), perm)));
}

}  // namespace

const OpDef transpose =
    op("Transpose")
        .input("data", kAnyType)
        .attr("perm", Ints{})
        .output("transposed", same_type("data"))
        .shape([](ShapeCall& c) { return permuted(c.dims("data"), permutation(c)); })
        .elements(transpose_elements)
        .reference([](RefCall& c) { c.set_output(0, transposed(c.input("data"), permutation(c.shapes()))); });

}  // namespace kiln::ops
