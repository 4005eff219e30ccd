// Conversion of whole tensors between any two element types, as Cast and CastLike define it.
#pragma once
#include "ops/op.h"

namespace kiln::ops {

inline constexpr TypeSet kCastTypes = kRealTypes | DType::kString;

void cast_tensor(const Tensor& from, Tensor& to, bool saturate, const std::string& round_mode);
// The same as a scalar program computes it. Throws kUnsupported when saturate or round_mode ask for what it does not have.
Expr cast_scalar(Expr x, DType to, bool saturate, const std::string& round_mode);
// Elements of the input when the type `to` holds them unchanged.
std::optional<std::vector<Dim>> cast_elements(ShapeCall& c, DType to);

}  // namespace kiln::ops
