// Gemm is a matrix product and an addition: transposition and factors go into constant weights, or stand as operators.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

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

PatchValue times(Patch& p, PatchValue value, DType type, double factor) {
  return factor == 1 ? value : p.add("Mul", {value, p.constant(tensor_of(type, {}, {factor}))});
}

}  // namespace

const Rule gemm_to_matmul{
    .name = "gemm_to_matmul",
    .pattern = node("Gemm", {any("a"), any("b")}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Node& n = m.root();
      const DType type = n.output()->dtype();
      const double alpha = real(n, "alpha"), beta = real(n, "beta");
      const bool transposes_b = integer(n, "transB") != 0, packed = m.value("b")->constant();
      Value* c = n.input(2);
      if (!is_float(type)) return decline("it is a product of integers");
      const bool reads_transposed = type == DType::kF32;  // the kernels of other types take b as it is
      if (!packed && alpha == 1 && !c && !integer(n, "transA") && reads_transposed)
        return decline("it is a product and no more");
      Patch p(m);
      PatchValue a = m.value("a");
      if (integer(n, "transA")) a = p.add("Transpose", {a}, {{"perm", Ints{1, 0}}});
      PatchValue y;
      if (packed)
        y = p.add("MatMul",
                  {a, p.constant(weights(*m.value("b")->constant(), transposes_b, alpha), m.value("b")->name())});
      else if (transposes_b && reads_transposed) y = p.add("Gemm", {a, m.value("b")}, {{"transB", int64_t{1}}});
      else if (transposes_b) y = p.add("MatMul", {a, p.add("Transpose", {m.value("b")}, {{"perm", Ints{1, 0}}})});
      else y = p.add("MatMul", {a, m.value("b")});
      if (!packed) y = times(p, y, type, alpha);
      if (c && beta != 0) {
        const PatchValue summand =
            c->constant() && beta != 1 ? p.constant(scaled(*c->constant(), beta), c->name()) : times(p, c, type, beta);
        y = p.add("Add", {y, summand});
      }
      p.replace(n.output(), y);
      return p;
    },
};

}  // namespace kiln::passes
