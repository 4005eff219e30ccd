// Quantize: round(x / scale) + zero_point, half to even, saturated to the integer type `to`; NaN becomes its least. Kiln's own: what
// QuantizeLinear without blocks means, with parameters that broadcast.
#include <cmath>

#include "base/error.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

DType integer_type(const ShapeCall& c) {
  const DType to = c.attributes().dtype("to");
  constexpr TypeSet kTypes{DType::kI8, DType::kU8, DType::kI16, DType::kU16};
  if (!kTypes.has(to)) throw Error(Code::kTypeMismatch, "Quantize cannot give " + std::string(name(to)));
  if (c.present("zero_point") && c.dtype("zero_point") != to)
    throw Error(Code::kTypeMismatch, "Quantize to " + std::string(name(to)) + " has a zero point of " +
                                         std::string(name(c.dtype("zero_point"))));
  return to;
}

Expr quantize_scalar(std::span<const Expr> in, const Attributes& a) {
  const DType to = a.dtype("to");
  const bool is_signed = is_signed_integer(to);
  const double high = std::ldexp(1.0, bits(to) - is_signed) - 1, low = is_signed ? -high - 1 : 0;
  Expr rounded = round_half_even(in[0] / in[1]);
  if (in.size() > 2 && in[2].present()) rounded = rounded + in[2].convert(ScalarType::kF32);
  const Expr least = rounded.constant(low);  // NaN becomes this
  return min(select(rounded > least, rounded, least), high).convert(scalar_type_of(to));
}

}  // namespace

const OpDef quantize =
    pointwise("Quantize", {{"x", DType::kF32},
                           {"scale", DType::kF32},
                           optional_input_def("zero_point", {DType::kI8, DType::kU8, DType::kI16, DType::kU16}, "")})
        .required_attr("to", std::string())
        .output_type(computed_type(integer_type))
        .scalar_n(quantize_scalar);

}  // namespace kiln::ops
