// Tactic: matrix products and convolutions of bytes, with sums in int32.
#include "target/integer_product.h"

#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {

const Tactic integer_product{
    .name = "integer_product",
    .version = 1,
    .ops = integer_product_ops(),
    .accepts = accept_integer_product,
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          if (is_integer_product(p)) return emit_kernel("integer_product", {}, integer_operands(p));
          return emit_kernel("integer_conv", integer_conv_parameters(p), integer_operands(p));
        },
};

}  // namespace kiln::cpu::tactics
