// What the tactics of matrix products share.
#include "backends/cpu/target/matrix/product_problem.h"

#include <algorithm>

#include "base/error.h"

namespace kiln::cpu {
namespace {

Refusal accept_operand(const Argument& a, const char* what, DType type) {
  if (a.dtype != type)
    return refuse(std::string(what) + " is " + std::string(name(a.dtype)) + ", needs " + std::string(name(type)));
  if (!a.ranked) return refuse(std::string(what) + " has an unknown number of dimensions");
  if (!a.layout.is_row_major())
    return refuse(std::string(what) + " has layout " + to_string(a.layout) + ", needs row-major");
  return accept();
}

// beta * c, added to the product.
Refusal add_c(const Problem& p, double beta, FusedEpilogue& e) {
  if (p.node->base_input_count() < 3) return accept();  // what stands there belongs to a post-operation
  const Argument &c = p.input(2), &y = p.outputs[0];
  if (!c.present || beta == 0) return accept();
  const bool one_row = c.opt.size() < 2 || (c.is_static && c.opt[0] == 1);
  if (one_row) {
    const Refusal r = add_bias(p, 2, 1, beta, e);
    if (!r.refused() || c.opt.size() < 2) return r;
  }
  if (!has_shape_of_result(p, 2) || beta != 1 || !c.layout.is_row_major())
    return refuse("c has shape " + to_string(c.opt) + " and factor " + std::to_string(beta) + " for a result " +
                  to_string(y.opt));
  e.residual_input = 2;
  return accept();
}

}  // namespace

Refusal read_product(const Problem& p, ProductProblem& product, DType type) {
  const bool gemm = p.op() == "Gemm";
  const Argument &a = p.input(0), &b = p.input(1), &y = p.outputs[0];
  for (const Refusal& r :
       {accept_operand(a, "a", type), accept_operand(b, "b", type), accept_operand(y, "the result", type)})
    if (r.refused()) return r;
  product.vector_a = a.opt.size() == 1;
  product.vector_b = b.opt.size() == 1;
  if (gemm) {
    product.transpose_a = p.attributes().integer("transA", 0) != 0;
    product.transpose_b = p.attributes().integer("transB", 0) != 0;
    product.alpha = p.attributes().real("alpha", 1.0);
  }
  const Dims row{1, a.opt[0]}, column{b.opt[0], 1};
  const Dims &a_dims = product.vector_a ? row : a.opt, &b_dims = product.vector_b ? column : b.opt;
  product.m = a_dims[a_dims.size() - (product.transpose_a ? 1 : 2)];
  product.n = b_dims[b_dims.size() - (product.transpose_b ? 2 : 1)];
  // The extents of a are guesses where only running can tell them; those of a constant b are facts.
  product.k = b.constant ? b_dims[b_dims.size() - (product.transpose_b ? 1 : 2)]
                         : a_dims[a_dims.size() - (product.transpose_a ? 2 : 1)];
  product.batch = product.m * product.n == 0 ? 0 : element_count(y.opt) / (product.m * product.n);
  const Dims& most = b.max.empty() ? b.opt : b.max;
  product.shared_b = product.vector_b || std::all_of(most.begin(), most.end() - 2, [](int64_t d) { return d == 1; });
  if (gemm)
    if (const Refusal r = add_c(p, p.attributes().real("beta", 1.0), product.epilogue); r.refused()) return r;
  return read_epilogue(p, product.vector_b ? -1 : static_cast<int>(y.opt.size()) - 1, product.epilogue);
}

ProductProblem product_problem(const Problem& p, DType type) {
  ProductProblem product;
  const Refusal r = read_product(p, product, type);
  if (r.refused()) throw Error(Code::kInternal, "a matrix product was not accepted").cause(r.reason);
  return product;
}

}  // namespace kiln::cpu
