// QuantizeLinear and DequantizeLinear, with one scale or one per index of an axis, as pointwise programs.
#include "target/quantize_program.h"

#include <cmath>

#include "device/pointwise_parameters.h"
#include "ops/expr.h"
#include "target/checks.h"

namespace kiln {
namespace {

constexpr TypeSet kQuantized{DType::kI8, DType::kU8, DType::kI16, DType::kU16};

// How the kernel reads a scale or zero point: as it lies, or, when it must lie along an inner axis, as a constant with ones behind.
struct Parameter {
  int input = Emitted::kAbsent;
  std::optional<Tensor> constant;
};

Refusal parameter(const Problem& p, int input, Parameter& to) {
  const Argument& a = p.input(input);
  if (!a.present) return accept();
  to.input = input;
  const int64_t n = rank(p.input(0));
  const bool one = a.is_static && element_count(a.opt) == 1;
  if (one && rank(a) <= n) return accept();
  if (one && a.constant) {
    to.constant = a.constant->reshaped({});
    return accept();
  }
  if (one || rank(a) != 1) return refuse("a scale or zero point of shape " + to_string(a.opt));
  const int64_t asked = p.attributes().integer("axis", 1);
  if (asked < -n || asked >= n) return refuse("the axis is none of its input");
  const int64_t axis = normalize_axis(asked, n);
  if (axis == n - 1) return accept();
  if (!a.constant) return refuse("a scale or zero point per index of an inner axis is not constant");
  Dims dims(static_cast<size_t>(n - axis), 1);
  dims[0] = a.opt[0];
  to.constant = a.constant->reshaped(dims);
  return accept();
}

bool is_quantize(const Problem& p) { return p.op() == "QuantizeLinear"; }

// The type in which QuantizeLinear divides; invalid for a name that is none.
DType division_type(const Problem& p) {
  const std::string asked = p.attributes().text("precision", "");
  return asked.empty() ? p.input(1).dtype : dtype_from_name(asked).value_or(DType::kInvalid);
}

Refusal types(const Problem& p) {
  constexpr TypeSet kReal{DType::kF32, DType::kF16, DType::kBF16};
  const DType real = is_quantize(p) ? p.input(0).dtype : p.outputs[0].dtype, scale = p.input(1).dtype;
  const DType whole = is_quantize(p) ? p.outputs[0].dtype : p.input(0).dtype;
  if (!kQuantized.has(whole)) return refuse("quantized numbers of type " + std::string(name(whole)));
  if (!kReal.has(real) || !kReal.has(scale)) return refuse("real numbers of type " + std::string(name(real)));
  if (is_quantize(p) && !kReal.has(division_type(p)))
    return refuse("it does not divide in " + p.attributes().text("precision", ""));
  if (p.attributes().integer("block_size", 0) != 0) return refuse("scales of blocks");
  return accept();
}

Expr zero_point(ExprBuilder& b, const Problem& p, Expr like) {
  if (!p.input(2).present) return like.constant(0);
  return b.input(2, scalar_type_of(p.input(2).dtype)).convert(ScalarType::kF32);
}

ScalarProgram program(const Problem& p) {
  ExprBuilder b;
  const Expr scale = b.input(1, ScalarType::kF32);
  const Expr x = b.input(0, scalar_type_of(p.input(0).dtype)).convert(ScalarType::kF32);
  if (!is_quantize(p)) {
    const Expr result[] = {((x - zero_point(b, p, scale)) * scale).convert(scalar_type_of(p.outputs[0].dtype))};
    return b.finish(result);
  }
  const DType type = p.outputs[0].dtype;
  const bool is_signed = is_signed_integer(type);
  const double high = std::ldexp(1.0, bits(type) - is_signed) - 1, low = is_signed ? -high - 1 : 0;
  const DType precision = division_type(p);
  const auto held = [&](Expr e) { return precision == DType::kF32 ? e : e.narrow(precision); };
  const Expr rounded = round_half_even(held(held(x) / held(scale))) + zero_point(b, p, scale);
  const Expr least = rounded.constant(low);  // NaN becomes this
  const Expr result[] = {min(select(rounded > least, rounded, least), high).convert(scalar_type_of(type))};
  return b.finish(result);
}

}  // namespace

Refusal accept_quantize(const Problem& p) {
  if (Refusal r = needs_plain(p); r.refused()) return r;
  if (Refusal r = types(p); r.refused()) return r;
  Parameter ignored;
  if (Refusal r = parameter(p, 1, ignored); r.refused()) return r;
  return parameter(p, 2, ignored);
}

void emit_quantize(const Problem& p, Emitted& e) {
  e.inputs = {0};
  for (int input : {1, 2}) {
    Parameter from;
    (void)parameter(p, input, from);
    if (from.constant) {
      e.inputs.push_back(Emitted::from_constant(static_cast<int>(e.constants.size())));
      e.constants.push_back(*from.constant);
    } else if (from.input >= 0) {
      e.inputs.push_back(from.input);
    }
  }
  e.strided_output = true;
  put_parameters(e.parameters, PointwiseParameters{program(p)});
}

}  // namespace kiln
