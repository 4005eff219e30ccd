// Where the scale and zero point of each element lie, and rounding to quantized types.
#pragma once
#include "ops/op.h"

namespace kiln::ops {

// The parameter (scale or zero point) of each element of a tensor of shape `x`: one for all, one for each index of `axis`, or,
// when `block_size` is not 0, one for each block of that many elements along `axis`.
std::vector<double> spread(const Tensor& parameter, const Dims& x, int64_t axis, int64_t block_size);
// The values of a tensor broadcast to `to`.
std::vector<double> broadcast_values(const Tensor& tensor, const Dims& to);
// Throws unless input `parameter` suits the shape of input `x` as spread() needs it, as far as both are known.
void check_granularity(ShapeCall& c, std::string_view x, std::string_view parameter);

// What Dequantize takes: differences of two are exact in float32.
inline constexpr TypeSet kSmallIntegers{DType::kI4, DType::kU4, DType::kI8, DType::kU8, DType::kI16, DType::kU16};
// (x - zero_point) * scale; the zero point may be null or absent.
Expr dequantized(Expr x, Expr scale, const Expr* zero_point);

double rounded_to(DType type, double value);  // to the nearest value of a float type
// Stores value + zero_point: rounded half to even and clamped for integers (NaN gives the least), converted for floats.
void store_quantized(Tensor& to, int64_t i, double value, double zero_point, bool saturate = true);

}  // namespace kiln::ops
