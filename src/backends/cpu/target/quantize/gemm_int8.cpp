// Tactics: products of bytes with constant weights, or of two operands that only running tells, and what follows them.
#include "backends/cpu/device/kernels/product_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/quantize/byte_products.h"
#include "backends/cpu/target/quantize/tiles.h"
#include "backends/cpu/target/tactics.h"
#include "base/error.h"
#include "target/epilogue.h"

namespace kiln::cpu {

Refusal read_gemm_int8(const Problem& p, ByteProblem& bytes) {
  const Argument &a = p.input(0), &b = p.input(1), &y = p.outputs[0];
  if (!a.ranked || rank(a) < 2 || rank(b) != 2) return refuse("it is no product of matrices by one matrix");
  if (!a.layout.is_row_major() || !y.layout.is_row_major()) return refuse("an operand is not row-major");
  return read_byte_problem(p, static_cast<int>(rank(y)) - 1, 1, bytes);
}

std::vector<int32_t> gemm_column_sums(const ByteProblem& bytes, int64_t columns) {
  std::vector<int32_t> sums(static_cast<size_t>(columns), 0);
  for (size_t i = 0; i < bytes.weights.size(); ++i) sums[i % sums.size()] += bytes.weights[i];
  return sums;
}

namespace tactics {
namespace {

Emitted emit_pair(const Problem& p, bool in_tiles) {
  ByteProblem bytes(kSumForm);
  if (const Refusal r = read_byte_pair(p, bytes); r.refused())
    throw Error(Code::kInternal, "a product of bytes was not accepted").cause(r.reason);
  Emitted e = emit_kernel(
      "gemm_int8_batched",
      kernels::GemmInt8BatchedParameters{bytes.x_zero, stored_tiles(in_tiles), stored_sums(bytes.parameters)}, {0, 1});
  emit_sums(bytes, std::vector<int32_t>(bytes.bias.size(), 0), 0, e);
  return e;
}

Refusal accept_pair(const Problem& p) {
  ByteProblem bytes(kSumForm);
  return read_byte_pair(p, bytes);
}

Estimate estimate_pair(const Problem& p, const DeviceFacts& facts, bool in_tiles) {
  return estimate_bytes(p, facts, in_tiles, p.input(1).opt.back());
}

Emitted emit_gemm_int8(const Problem& p, bool in_tiles) {
  ByteProblem bytes(kSumForm);
  if (const Refusal r = read_gemm_int8(p, bytes); r.refused())
    throw Error(Code::kInternal, "a product of bytes was not accepted").cause(r.reason);
  const int64_t k = p.input(1).opt[0], n = p.input(1).opt[1], parts = int8_parts(bytes);
  Tensor packed = Tensor::allocate(DType::kI8, {packed_int8_bytes(k * parts, n)});
  const auto weight = [&](int64_t t, int64_t j) { return int8_part(bytes, t / k, static_cast<size_t>(t % k * n + j)); };
  if (packed.size() > 0) pack_int8(k * parts, n, weight, packed.as_mutable<int8_t>().data());
  Emitted e = emit_kernel(
      "gemm_int8", kernels::GemmInt8Parameters{n, parts, stored_tiles(in_tiles), stored_sums(bytes.parameters)}, {0});
  e.inputs.push_back(add_constant(e, std::move(packed)));
  emit_sums(bytes, gemm_column_sums(bytes, n), shift_of_rows(p, in_tiles), e);
  return e;
}

Refusal accept_gemm_int8(const Problem& p) {
  ByteProblem bytes(kSumForm);
  return read_gemm_int8(p, bytes);
}

Estimate estimate_gemm_int8(const Problem& p, const DeviceFacts& facts, bool in_tiles) {
  return estimate_bytes(p, facts, in_tiles, p.input(1).opt[1]);
}

}  // namespace

const Tactic gemm_int8_batched_amx{
    .name = "gemm_int8_batched_amx",
    .version = 1,
    .ops = {"MatMulInteger"},
    .estimate = [](const Problem& p, const DeviceFacts& facts) { return estimate_pair(p, facts, true); },
    .accepts = [](const Problem& p) { return in_tiles(accept_pair(p)); },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_pair(p, true); },
};

const Tactic gemm_int8_batched{
    .name = "gemm_int8_batched",
    .version = 3,
    .ops = {"MatMulInteger"},
    .estimate = [](const Problem& p, const DeviceFacts& facts) { return estimate_pair(p, facts, false); },
    .accepts = accept_pair,
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_pair(p, false); },
};

const Tactic gemm_int8_amx{
    .name = "gemm_int8_amx",
    .version = 1,
    .ops = {"MatMulInteger"},
    .estimate = [](const Problem& p, const DeviceFacts& facts) { return estimate_gemm_int8(p, facts, true); },
    .accepts = [](const Problem& p) { return in_tiles(accept_gemm_int8(p)); },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_gemm_int8(p, true); },
};

const Tactic gemm_int8{
    .name = "gemm_int8",
    .version = 3,
    .ops = {"MatMulInteger"},
    .estimate = [](const Problem& p, const DeviceFacts& facts) { return estimate_gemm_int8(p, facts, false); },
    .accepts = accept_gemm_int8,
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_gemm_int8(p, false); },
};

}  // namespace tactics
}  // namespace kiln::cpu
