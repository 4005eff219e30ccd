// DequantizeLinear and Dequantize of constants become constants, for targets without products of integers.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule fold_dequantized{
    .name = "fold_dequantized",
    .pattern = one_of({"Dequantize", "DequantizeLinear"}),
    .rewrite = folded,
};

}  // namespace kiln::passes
