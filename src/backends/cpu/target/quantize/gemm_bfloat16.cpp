// Tactic: matrix products of bfloat16, or of float32 that may compute in it, by one constant matrix, and what follows them.
#include "backends/cpu/device/kernels/product_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/quantize/bfloat16.h"
#include "backends/cpu/target/quantize/sum_form.h"
#include "backends/cpu/target/tactics.h"
#include "base/error.h"
#include "target/epilogue.h"

namespace kiln::cpu::tactics {
namespace {

Refusal read_gemm_bfloat16(const Problem& p, ByteProblem& steps) {
  const Argument &a = p.input(0), &b = p.input(1), &y = p.outputs[0];
  if (const Refusal r = multiplies_in_bfloat16(p); r.refused()) return r;
  if ((a.dtype != DType::kF32 && a.dtype != DType::kBF16) || !a.ranked || a.opt.size() < 2)
    return refuse("a is no matrix of float32 or bfloat16");
  if (!b.constant || b.constant->rank() != 2) return refuse("the weights are no constant matrix");
  if (!a.layout.is_row_major() || !y.layout.is_row_major()) return refuse("an operand is not row-major");
  return read_real_steps(p, static_cast<int>(rank(y)) - 1, steps);
}

Refusal accept_gemm_bfloat16(const Problem& p) {
  ByteProblem steps(kSumForm);
  return read_gemm_bfloat16(p, steps);
}

Emitted emit_gemm_bfloat16(const Problem& p, bool in_tiles) {
  ByteProblem steps(kSumForm);
  if (const Refusal r = read_gemm_bfloat16(p, steps); r.refused())
    throw Error(Code::kInternal, "a product of bfloat16 was not accepted").cause(r.reason);
  const Tensor b = p.input(1).constant->cast(DType::kBF16);
  const int64_t k = b.dims()[0], n = b.dims()[1];
  const auto* bytes = static_cast<const int8_t*>(b.data());
  Tensor packed = Tensor::allocate(DType::kBF16, {packed_int8_bytes(k * 2, n) / 2});
  if (packed.size() > 0)
    pack_int8(
        k * 2, n, [&](int64_t t, int64_t j) { return bytes[(t / 2 * n + j) * 2 + t % 2]; },
        static_cast<int8_t*>(packed.mutable_data()));
  Emitted e = emit_kernel(
      "gemm_bfloat16", kernels::GemmBfloat16Parameters{n, stored_tiles(in_tiles), stored_sums(steps.parameters)}, {0});
  e.inputs.push_back(add_constant(e, std::move(packed)));
  emit_steps(steps, e);
  e.computes = DType::kBF16;
  return e;
}

Estimate estimate_gemm_bfloat16(const Problem& p, const DeviceFacts& facts, bool in_tiles) {
  return estimate_bfloat16(p, facts, in_tiles, p.input(1).opt[1]);
}

}  // namespace

const Tactic gemm_bfloat16_amx{
    .name = "gemm_bfloat16_amx",
    .version = 1,
    .ops = {"MatMul"},
    .estimate = [](const Problem& p, const DeviceFacts& facts) { return estimate_gemm_bfloat16(p, facts, true); },
    .accepts = [](const Problem& p) { return in_tiles(accept_gemm_bfloat16(p)); },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_gemm_bfloat16(p, true); },
};

const Tactic gemm_bfloat16{
    .name = "gemm_bfloat16",
    .version = 1,
    .ops = {"MatMul"},
    .estimate = [](const Problem& p, const DeviceFacts& facts) { return estimate_gemm_bfloat16(p, facts, false); },
    .accepts = accept_gemm_bfloat16,
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_gemm_bfloat16(p, false); },
};

}  // namespace kiln::cpu::tactics
