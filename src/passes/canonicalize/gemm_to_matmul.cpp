// Gemm with constant weights is a matrix product and an addition: transposition and factors go into the constants.
#include "passes/facts.h"
#include "passes/lists.h"

namespace kiln::passes {
namespace {

Tensor scaled(const Tensor& t, double factor) {
  Tensor result = t.clone();
  for (int64_t i = 0; i < t.size(); ++i) result.set(i, t.at(i) * factor);
  return result;
}

Tensor weights(const Tensor& b, bool transposed, double alpha) {
  const int64_t rows = b.dims()[0], columns = b.dims()[1];
  if (!transposed) return alpha == 1 ? b : scaled(b, alpha);
  Tensor result = Tensor::allocate(b.dtype(), {columns, rows});
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) result.set(j * rows + i, b.at(i * columns + j) * alpha);
  return result;
}

}  // namespace

const Rule gemm_to_matmul{
    .name = "gemm_to_matmul",
    .pattern = node("Gemm", {any("a"), constant("b")}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Node& n = m.root();
      const double alpha = real(n, "alpha"), beta = real(n, "beta");
      Value* c = n.input(2);
      if (integer(n, "transA")) return decline("the left operand is transposed");
      if (!is_float(m.value("b")->dtype())) return decline("it is a product of integers");
      if (c && !c->constant() && beta != 1) return decline("beta applies to a value that is not constant");
      Patch p(m);
      const PatchValue b =
          p.constant(weights(*m.constant("b"), integer(n, "transB") != 0, alpha), m.value("b")->name());
      PatchValue y = p.add("MatMul", {m.value("a"), b});
      if (c && beta != 0)
        y = p.add("Add", {y, beta == 1 ? PatchValue(c) : p.constant(scaled(*c->constant(), beta), c->name())});
      p.replace(n.output(), y);
      return p;
    }};

}  // namespace kiln::passes
