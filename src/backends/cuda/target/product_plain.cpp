// Tactic: products of matrices of integers and float64.
#include "backends/cuda/device/kernels/product_parameters.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"

namespace kiln::cuda::tactics {
namespace {

constexpr TypeSet kPlain{DType::kI32, DType::kU32, DType::kI64, DType::kU64, DType::kF64};

}  // namespace

const Tactic product_plain{
    .name = "product_plain",
    .version = 1,
    .ops = {"MatMul", "Gemm"},
    .accepts = [](const Problem& p) -> Refusal {
      const bool gemm = p.op() == "Gemm";
      if (Refusal r = needs_plain(p); r.refused()) return r;
      if (!kPlain.has(p.input(0).dtype)) return refuse("elements of type " + std::string(name(p.input(0).dtype)));
      for (int i : {0, 1})
        if (p.input(i).opt.size() < 2) return refuse("an operand is a vector");
      if (p.outputs[0].opt.size() > 10) return refuse("there are more than eight axes of matrices");
      if (!p.outputs[0].layout.is_row_major()) return refuse("the result has a layout");
      if (gemm && p.input(2).present) return refuse("something is added to the product");
      if (gemm && p.attributes().real("alpha", 1.0) != 1) return refuse("alpha is not 1");
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const bool gemm = p.op() == "Gemm";
          return emit_kernel(
              "product_plain",
              kernels::ProductPlainParameters{.transpose_a = gemm && p.attributes().integer("transA", 0) != 0,
                                              .transpose_b = gemm && p.attributes().integer("transB", 0) != 0},
              {0, 1});
        },
};

}  // namespace kiln::cuda::tactics
