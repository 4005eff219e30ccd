// Tactic: matrix products by oneDNN.
#include "backends/cpu/target/matrix/product_problem.h"
#include "backends/cpu/target/onednn/onednn.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {
namespace {

// The step; constant weights are not packed yet.
Emitted unpacked(const Problem& p, const ProductProblem& product) {
  const Tensor* b = p.input(1).constant;
  Emitted e = emit_onednn("matmul",
                          onednn::MatMulParameters{
                              .vector_a = product.vector_a,
                              .vector_b = product.vector_b,
                              .transpose_a = product.transpose_a,
                              .transpose_b = product.transpose_b,
                              .b_dims = b ? b->dims() : Ints{},
                              .alpha = b ? 1.0 : product.alpha,
                              .epilogue = product.epilogue.parameters,
                          },
                          {0, b ? Emitted::kAbsent : 1});
  emit_epilogue_inputs(product.epilogue, e);
  return e;
}

Refusal accepts_product(const Problem& p) {
  ProductProblem product;
  if (const Refusal r = read_product(p, product); r.refused()) return r;
  const Argument& a = p.input(0);
  if (const size_t axis = a.opt.size() - (product.transpose_a ? 2 : 1); product.k == 0 || !a.is_fixed(axis))
    return refuse("there are " + std::to_string(product.k) + " to " + std::to_string(a.max[axis]) +
                  " products in a sum, needs a fixed number above 0");
  if (!p.input(1).constant && product.alpha != 1 && product.epilogue.has_bias())
    return refuse("alpha is " + std::to_string(product.alpha) + " with a bias and b known at run time, needs 1");
  return accept_onednn(p, unpacked(p, product));
}

Emitted emit(const Problem& p, const Config&) {
  const ProductProblem product = product_problem(p);
  Emitted e = unpacked(p, product);
  const Tensor* b = p.input(1).constant;
  if (!b) return e;
  pack_onednn(p, e, packed_floats(b->size(), [&](float* to) {
                      for (int64_t i = 0; i < b->size(); ++i)
                        to[i] = static_cast<float>(product.alpha) * b->as<float>()[static_cast<size_t>(i)];
                    }).data());
  return e;
}

}  // namespace

const Tactic onednn_matmul{
    .name = "onednn_matmul",
    .version = 1,
    .ops = {"MatMul", "Gemm"},
    .device = kOnednn,
    .accepts = accepts_product,
    .configurations = nullptr,
    .emit = emit,
};

}  // namespace kiln::cpu::tactics
