// Tactics: matrix product with constant right operand, packed when the engine is built, in float32 or kept in 16 bits; of float32, or of
// float16 or bfloat16, which is multiplied in float32.
#include "backends/cpu/device/kernels/parameters.h"
#include "backends/cpu/device/kernels/product_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/half_problem.h"
#include "backends/cpu/target/matrix/product_problem.h"
#include "backends/cpu/target/quantize/kept_weights.h"
#include "backends/cpu/target/tactics.h"
#include "base/error.h"

namespace kiln::cpu::tactics {
namespace {

void pack(const Problem& p, const Tensor& weights, const ProductProblem& product, const BlockConfig& blocks,
          float* to) {
  const auto values = weights.as<float>();
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

Refusal accepts_packed(const Problem& p, DType type = DType::kF32) {
  ProductProblem product;
  const Refusal r = read_product(p, product, type);
  if (r.refused()) return r;
  if (!p.input(1).constant) return refuse("b is not constant");
  if (!product.shared_b) return refuse("b has shape " + to_string(p.input(1).opt) + ", needs one matrix");
  if (product.transpose_a) return refuse("a is transposed");
  return accept();
}

std::vector<BlockConfig> blocks_of(const ProductProblem& product, int threads) {
  return gemm_configs(product.batch * product.m, product.n, product.k, threads);
}

std::vector<Config> packed_configurations(const Problem& p) {
  std::vector<Config> list;
  for (const BlockConfig& c : blocks_of(product_problem(p), p.threads))
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

Tensor narrow_weights(const Problem& p, const Tensor& weights, const ProductProblem& product, const BlockConfig& blocks,
                      DType type) {
  Tensor packed = Tensor::allocate(type, {packed_b_floats(product.k, product.n)});
  const float* from = weights.as<float>().data();
  if (packed.size() > 0)
    pack_narrow_b({from, product.transpose_b ? product.k : product.n, product.transpose_b}, product.k, product.n,
                  blocks.panel, type, static_cast<uint16_t*>(packed.mutable_data()), p.threads);
  return packed;
}

Tensor wide_weights(const Problem& p, const Tensor& weights, const ProductProblem& product, const BlockConfig& blocks) {
  return packed_floats(packed_b_floats(product.k, product.n),
                       [&](float* to) { pack(p, weights, product, blocks, to); });
}

}  // namespace

const Tactic gemm_half{
    .name = "gemm_half",
    .version = 1,
    .ops = {"MatMul", "Gemm"},
    .estimate = [](const Problem& p, const DeviceFacts& facts) { return estimate_half(p, workload_of(p), facts); },
    .accepts = [](const Problem& p) -> Refusal {
      if (const Refusal r = computes_on_halves(p); r.refused()) return r;
      const DType type = p.input(0).dtype;
      if (const Refusal r = accepts_packed(p, type); r.refused()) return r;
      const double alpha = product_problem(p, type).alpha;
      return alpha == 1 ? accept() : refuse("alpha is " + std::to_string(alpha) + ", needs 1");
    },
    .configurations =
        [](const Problem& p) {
          const ProductProblem product = product_problem(p, p.input(0).dtype);
          return half_configurations(blocks_of(product, p.threads),
                                     {.in_h = product.batch * product.m, .in_c = product.k, .out_c = product.n});
        },
    .emit =
        [](const Problem& p, const Config& config) {
          const DType type = p.input(0).dtype;
          const ProductProblem product = product_problem(p, type);
          const auto blocks = read_parameters<HalfBlocks>(config);
          const Tensor weights = p.input(1).constant->cast(DType::kF32);
          Emitted e = emit_packed(product, blocks.blocks,
                                  blocks.wide ? wide_weights(p, weights, product, blocks.blocks)
                                              : narrow_weights(p, weights, product, blocks.blocks, type));
          e.computes = type;
          return e;
        },
};

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
          const DType type = p.node->keeps;
          Emitted e = emit_packed(product, blocks, narrow_weights(p, *p.input(1).constant, product, blocks, type));
          e.computes = type;
          return e;
        },
};

const Tactic gemm_packed{
    .name = "gemm_packed",
    .version = 1,
    .ops = {"MatMul", "Gemm"},
    .accepts = [](const Problem& p) { return accepts_packed(p); },
    .configurations = packed_configurations,
    .emit =
        [](const Problem& p, const Config& config) {
          const ProductProblem product = product_problem(p);
          const auto blocks = read_parameters<kernels::BlockParameters>(config);
          return emit_packed(product, blocks, wide_weights(p, *p.input(1).constant, product, blocks));
        },
};

}  // namespace kiln::cpu::tactics
