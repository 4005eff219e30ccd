// AddDequantized: x + (y - zero_point) * scale in float32: the sum with a quantized tensor that is not written as floats first.
// Kiln's own; made of Add and Dequantize.
#include "ops/quantize/granularity.h"
#include "ops/registry.h"

namespace kiln::ops {

const OpDef add_dequantized = pointwise("AddDequantized", {{"x", DType::kF32},
                                                           {"y", kSmallIntegers},
                                                           {"scale", DType::kF32},
                                                           optional_input_def("zero_point", kSmallIntegers, "y")})
                                  .scalar_n([](std::span<const Expr> in, const Attributes&) {
                                    return in[0] + dequantized(in[1], in[2], in.size() > 3 ? &in[3] : nullptr);
                                  });

}  // namespace kiln::ops
