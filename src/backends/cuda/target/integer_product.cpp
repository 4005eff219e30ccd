// Tactic: products and convolutions of bytes whose weights, zero points or scales only running tells.
#include "target/integer_product.h"

#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"

namespace kiln::cuda::tactics {
namespace {

constexpr int64_t kMostIntegerAxes = 8;  // of matrices, or of space

// By a kernel that is made for it.
bool is_taken(const Problem& p) {
  if (p.op() != "MatMulInteger" && p.op() != "ConvInteger") return false;
  return !conv_int8_any.accepts(p).refused() || (is_integer_product(p) && !product_int8.accepts(p).refused());
}

}  // namespace

const Tactic integer_product{
    .name = "integer_product",
    .version = 1,
    .ops = integer_product_ops(),
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = accept_integer_product(p); r.refused()) return r;
      if (rank(p.outputs[0]) > kMostIntegerAxes + 2) return refuse("there are more than ten axes");
      return is_taken(p) ? refuse("another tactic takes it") : accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          if (is_integer_product(p)) return emit_kernel("integer_product", {}, integer_operands(p));
          return emit_kernel("integer_conv", integer_conv_parameters(p), integer_operands(p));
        },
};

}  // namespace kiln::cuda::tactics
