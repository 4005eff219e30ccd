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
// The same for parameters of products. Those that are absent suit.
using Names = std::initializer_list<std::string_view>;
void check_one(const ShapeCall& c, Names parameters);
// One value, or a list with one for each of `count`; `what` are these: "output channels".
void check_one_or_each(const ShapeCall& c, Names parameters, const Dim& count, std::string_view what);
// One value; a list with one for each row (column) of the matrices `x`; or as many axes as x has, the last (the last but one) being 1.
void check_by_row(const ShapeCall& c, Names parameters, const Shape& x);
void check_by_column(const ShapeCall& c, Names parameters, const Shape& x);

// What Dequantize takes: differences of two are exact in float32.
inline constexpr TypeSet kSmallIntegers{DType::kI4, DType::kU4, DType::kI8, DType::kU8, DType::kI16, DType::kU16};
// (x - zero_point) * scale; the zero point may be null or absent.
Expr dequantized(Expr x, Expr scale, const Expr* zero_point);

double rounded_to(DType type, double value);  // to the nearest value of a float type
// Stores value + zero_point: rounded half to even and clamped for integers (NaN gives the least), converted for floats.
void store_quantized(Tensor& to, int64_t i, double value, double zero_point, bool saturate = true);

}  // namespace kiln::ops
