// Shapes of results that broadcast their operands.
#include "ops/broadcasting.h"

#include <algorithm>

#include "tensor/dim_expression.h"

namespace kiln::ops {
namespace {

// The atom of this kind among the factors of a dimension that is one product.
const DimAtom* factor(const Dim& dim, DimAtom::Kind kind) {
  const DimTerms* terms = DimAlgebra::view(dim);
  if (!terms || terms->size() != 1 || terms->front().coefficient != 1 || terms->front().factors.size() != 2)
    return nullptr;
  for (const DimAtomPtr& f : terms->front().factors)
    if (f->kind == kind) return f.get();
  return nullptr;
}

Dim broadcast_of(const std::vector<Dim>& dims) {
  Dim most = dims[0], least = dims[0];
  for (const Dim& d : dims) most = max(most, d), least = min(least, d);
  return most * min(least, Dim(1));  // the larger one, unless one is 0
}

// The dimensions of which `dim` is the broadcast: itself, unless it is what broadcast_of made.
std::vector<Dim> parts_of(const Dim& dim) {
  if (const DimAtom* most = factor(dim, DimAtom::kMax); most && broadcast_of(most->operands) == dim)
    return most->operands;
  return {dim};
}

}  // namespace

Shape broadcast_shapes(const Shape& a, const Shape& b) {
  Shape result = broadcast(a, b);
  for (size_t i = 1; i <= std::min(a.size(), b.size()); ++i) {
    const Dim &x = a[a.size() - i], &y = b[b.size() - i];
    if (x == y || x.is_constant() || y.is_constant() || !has_run_time_symbol({x, y})) continue;
    std::vector<Dim> parts = parts_of(x);
    for (const Dim& part : parts_of(y)) parts.push_back(part);
    result[result.size() - i] = broadcast_of(parts);
  }
  return result;
}

}  // namespace kiln::ops
