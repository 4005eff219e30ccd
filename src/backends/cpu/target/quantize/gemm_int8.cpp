// Tactics: products of bytes with constant weights, or of two operands that only running tells, and what follows them.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/quantize/byte_products.h"
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

// Signed bytes, or unsigned ones less by 128, are the weights.
Refusal accept_centred(const Problem& p) {
  const Argument& b = p.input(1);
  const Argument& zero = p.node->base_input_count() > 3 ? p.input(3) : Argument();
  if (zero.present && (!zero.constant || zero.constant->size() != 1)) return refuse("b has no constant zero point");
  const int64_t known = zero.present ? zero.constant->int_at(0) : 0;
  if (known != (b.dtype == DType::kU8 ? 128 : 0)) return refuse("the zero point of b is " + std::to_string(known));
  return accept();
}

Refusal read_gemm_int8_batched(const Problem& p, ByteProblem& bytes) {
  const Argument &a = p.input(0), &b = p.input(1), &y = p.outputs[0];
  if (b.constant) return refuse("b is constant");
  if (!a.ranked || !b.ranked || rank(a) < 2 || rank(a) != rank(b)) return refuse("a and b have not as many axes");
  const ir::Node& n = *p.node;
  for (size_t i = 0; i + 2 < a.opt.size(); ++i)
    if (!(n.input(0)->shape()[i] == n.input(1)->shape()[i])) return refuse("leading axes broadcast");
  for (const Argument* v : {&a, &b, &y})
    if (!v->layout.is_row_major()) return refuse("an operand is not row-major");
  if (b.dtype != DType::kI8 && b.dtype != DType::kU8) return refuse("b is " + std::string(name(b.dtype)));
  if (const Refusal r = accept_centred(p); r.refused()) return r;
  if (const Refusal r = read_byte_steps(p, static_cast<int>(rank(y)) - 1, bytes); r.refused()) return r;
  return bytes.x_zero_input < 0 ? accept() : refuse("the zero point of a is not constant");
}

}  // namespace

const Tactic gemm_int8_batched{
    .name = "gemm_int8_batched",
    .version = 2,
    .ops = {"MatMulInteger"},
    .accepts =
        [](const Problem& p) {
          ByteProblem bytes;
          return read_gemm_int8_batched(p, bytes);
        },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          ByteProblem bytes;
          if (const Refusal r = read_gemm_int8_batched(p, bytes); r.refused())
            throw Error(Code::kInternal, "a product of bytes was not accepted").cause(r.reason);
          Emitted e = emit_kernel("gemm_int8_batched", {{"a_zero", int64_t{bytes.x_zero}}}, {0, 1});
          emit_sums(bytes, std::vector<int32_t>(bytes.bias.size(), 0), 0, e);
          return e;
        },
};

const Tactic gemm_int8{
    .name = "gemm_int8",
    .version = 2,
    .ops = {"MatMulInteger"},
    .accepts =
        [](const Problem& p) {
          ByteProblem bytes;
          return read_gemm_int8(p, bytes);
        },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          ByteProblem bytes;
          if (const Refusal r = read_gemm_int8(p, bytes); r.refused())
            throw Error(Code::kInternal, "a product of bytes was not accepted").cause(r.reason);
          const int64_t k = p.input(1).opt[0], n = p.input(1).opt[1], parts = int8_parts(bytes);
          Tensor packed = Tensor::allocate(DType::kI8, {packed_int8_bytes(k * parts, n)});
          const auto weight = [&](int64_t t, int64_t j) {
            return int8_part(bytes, t / k, static_cast<size_t>(t % k * n + j));
          };
          if (packed.size() > 0) pack_int8(k * parts, n, weight, packed.as_mutable<int8_t>().data());
          Emitted e = emit_kernel("gemm_int8", {{"n", n}, {"parts", parts}}, {0});
          e.inputs.push_back(add_constant(e, std::move(packed)));
          emit_sums(bytes, gemm_column_sums(bytes, n), p.input(0).dtype == DType::kI8 ? 128 : 0, e);
          return e;
        },
};

}  // namespace tactics
}  // namespace kiln::cpu
