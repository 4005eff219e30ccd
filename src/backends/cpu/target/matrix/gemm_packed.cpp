// Tactics: matrix product with constant right operand, packed when the engine is built, in float32 or kept in 16 bits.
#include "backends/cpu/device/kernels/parameters.h"
#include "backends/cpu/device/kernels/product_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/matrix/product_problem.h"
#include "backends/cpu/target/quantize/kept_weights.h"
#include "backends/cpu/target/tactics.h"
#include "base/error.h"

namespace kiln::cpu::tactics {
namespace {

void pack(const Problem& p, const ProductProblem& product, const BlockConfig& blocks, float* to) {
  const auto values = p.input(1).constant->as<float>();
  if (static_cast<int64_t>(values.size()) != product.k * product.n)
    throw Error(Code::kInternal, "a constant of shape " + to_string(p.input(1).opt) + " is packed as " +
                                     to_string(Dims{product.k, product.n}));
  std::vector<float> scaled;
  const float* from = values.data();
  if (product.alpha != 1) {
    scaled.assign(values.begin(), values.end());
    for (float& v : scaled) v = static_cast<float>(v * product.alpha);
    from = scaled.data();
  }
  pack_b({from, product.transpose_b ? product.k : product.n, product.transpose_b}, product.k, product.n, blocks.panel,
         to, p.threads);
}

Refusal accepts_packed(const Problem& p) {
  ProductProblem product;
  const Refusal r = read_product(p, product);
  if (r.refused()) return r;
  if (!p.input(1).constant) return refuse("b is not constant");
  if (!product.shared_b) return refuse("b has shape " + to_string(p.input(1).opt) + ", needs one matrix");
  if (product.transpose_a) return refuse("a is transposed");
  return accept();
}

std::vector<Config> packed_configurations(const Problem& p) {
  const ProductProblem product = product_problem(p);
  std::vector<Config> list;
  for (const BlockConfig& c : gemm_configs(product.batch * product.m, product.n, product.k, p.threads))
    list.push_back(to_parameters(kernels::BlockParameters{c}));
  return list;
}

Emitted emit_packed(const ProductProblem& product, const kernels::BlockParameters& blocks, Tensor weights) {
  Emitted e = emit_kernel("gemm_packed",
                          kernels::GemmPackedParameters{
                              .n = product.n,
                              .columns = !product.vector_b,
                              .blocks = blocks,
                              .epilogue = product.epilogue.parameters,
                          },
                          {0});
  e.inputs.push_back(add_constant(e, std::move(weights)));
  emit_epilogue_inputs(product.epilogue, e);
  return e;
}

Tensor narrow_weights(const Problem& p, const ProductProblem& product, const BlockConfig& blocks) {
  const DType type = p.node->keeps;
  Tensor packed = Tensor::allocate(type, {packed_b_floats(product.k, product.n)});
  const float* from = p.input(1).constant->as<float>().data();
  if (packed.size() > 0)
    pack_narrow_b({from, product.transpose_b ? product.k : product.n, product.transpose_b}, product.k, product.n,
                  blocks.panel, type, static_cast<uint16_t*>(packed.mutable_data()), p.threads);
  return packed;
}

}  // namespace

const Tactic gemm_narrow{
    .name = "gemm_narrow",
    .version = 1,
    .ops = {"MatMul", "Gemm"},
    .accepts = [](const Problem& p) -> Refusal {
      if (const Refusal r = keeps_narrow_weights(p); r.refused()) return r;
      if (const Refusal r = accepts_packed(p); r.refused()) return r;
      const double alpha = product_problem(p).alpha;
      return alpha == 1 ? accept() : refuse("alpha is " + std::to_string(alpha) + ", needs 1");
    },
    .configurations = packed_configurations,
    .emit =
        [](const Problem& p, const Config& config) {
          const ProductProblem product = product_problem(p);
          const auto blocks = read_parameters<kernels::BlockParameters>(config);
          Emitted e = emit_packed(product, blocks, narrow_weights(p, product, blocks));
          e.computes = p.node->keeps;
          return e;
        },
};

const Tactic gemm_packed{
    .name = "gemm_packed",
    .version = 1,
    .ops = {"MatMul", "Gemm"},
    .accepts = accepts_packed,
    .configurations = packed_configurations,
    .emit =
        [](const Problem& p, const Config& config) {
          const ProductProblem product = product_problem(p);
          const auto blocks = read_parameters<kernels::BlockParameters>(config);
          return emit_packed(product, blocks, packed_floats(packed_b_floats(product.k, product.n), [&](float* to) {
                               pack(p, product, blocks, to);
                             }));
        },
};

}  // namespace kiln::cpu::tactics
