// Tactic: products of int16 or uint16 by constant bytes, and what follows them.
#include "backends/cpu/device/compute/integer_product.h"
#include "backends/cpu/device/kernels/product_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/quantize/words.h"
#include "backends/cpu/target/tactics.h"
#include "base/error.h"
#include "target/epilogue.h"

namespace kiln::cpu::tactics {
namespace {

Refusal read_gemm_int16(const Problem& p, ByteProblem& words) {
  if (const Refusal r = read_gemm_int8(p, words); r.refused()) return r;
  return fixes_zero(words);
}

}  // namespace

const Tactic gemm_int16{
    .name = "gemm_int16",
    .version = 2,
    .ops = {"MatMulInteger"},
    .accepts =
        [](const Problem& p) {
          ByteProblem words = word_problem();
          return read_gemm_int16(p, words);
        },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          ByteProblem words = word_problem();
          if (const Refusal r = read_gemm_int16(p, words); r.refused())
            throw Error(Code::kInternal, "a product of 16 bits was not accepted").cause(r.reason);
          const int64_t k = p.input(1).opt[0], n = p.input(1).opt[1];
          Tensor packed = Tensor::allocate(DType::kI16, {packed_int16(k, n)});
          if (packed.size() > 0)
            pack_int16(
                k, n, [&](int64_t t, int64_t j) { return words.weights[static_cast<size_t>(t * n + j)]; },
                packed.as_mutable<int16_t>().data());
          Emitted e = emit_kernel("gemm_int16", kernels::GemmInt16Parameters{n, stored_sums(words.parameters)}, {0});
          e.inputs.push_back(add_constant(e, std::move(packed)));
          emit_sums(words, gemm_column_sums(words, n), shift_of_words(p), e);
          return e;
        },
};

}  // namespace kiln::cpu::tactics
