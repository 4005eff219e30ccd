// Dequantize: (x - zero_point) * scale in float32. Kiln's own: what DequantizeLinear without blocks means, with parameters that
// broadcast. Integers of 32 bits have no zero point.
#include "ops/quantize/granularity.h"
#include "ops/registry.h"

namespace kiln::ops {

const OpDef dequantize = pointwise("Dequantize", {{"x", kSmallIntegers | DType::kI32},
                                                  {"scale", DType::kF32},
                                                  optional_input_def("zero_point", kSmallIntegers, "x")})
                             .output_type(fixed_type(DType::kF32))
                             .scalar_n([](std::span<const Expr> in, const Attributes&) {
                               return dequantized(in[0], in[1], in.size() > 2 ? &in[2] : nullptr);
                             });

}  // namespace kiln::ops
