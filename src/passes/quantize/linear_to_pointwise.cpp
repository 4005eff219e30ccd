// QuantizeLinear and DequantizeLinear between float32 and integers, without blocks, become the pointwise Quantize and Dequantize.
#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"

namespace kiln::passes {
namespace {

constexpr TypeSet kPointwiseIntegers{DType::kI8, DType::kU8, DType::kI16, DType::kU16};

// A scale or zero point so that it broadcasts to `x`; nothing when it would need more than another shape of a constant.
std::optional<PatchValue> broadcast_parameter(Patch& p, Value* parameter, const Value& x, int64_t axis) {
  if (!parameter->ranked() || !x.ranked()) return std::nullopt;
  const bool one = element_count(parameter->shape()) == Dim(1);
  if (one && parameter->rank() <= std::min<int64_t>(x.rank(), 1)) return parameter;
  if (one && parameter->constant()) return p.constant(parameter->constant()->reshaped({}), parameter->name());
  if (one || parameter->rank() != 1 || axis < -x.rank() || axis >= x.rank()) return std::nullopt;
  const int64_t inner = x.rank() - 1 - normalize_axis(axis, x.rank());
  if (inner == 0) return parameter;
  if (!parameter->constant()) return std::nullopt;
  const Tensor& t = *parameter->constant();
  return p.constant(t.reshaped(per_column(t.size(), inner)), parameter->name());
}

bool divides_in_float32(const Node& n) {
  const std::string precision = text(n, "precision");
  return precision.empty() || precision == "float32";
}

}  // namespace

const Rule linear_to_pointwise{
    .name = "linear_to_pointwise",
    .pattern = one_of({"DequantizeLinear", "QuantizeLinear"}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& n = m.root();
      const bool quantizes = n.is("QuantizeLinear");
      Value *x = n.input(0), *y = n.output(), *zero = n.input(2);
      const DType integers = quantizes ? y->dtype() : x->dtype();
      const bool wide = integers == DType::kI32 || integers == DType::kI4 || integers == DType::kU4;
      if (!kPointwiseIntegers.has(integers) && !(wide && !quantizes))
        return decline("the integers are of another type");
      if ((quantizes ? x : y)->dtype() != DType::kF32 || n.input(1)->dtype() != DType::kF32)
        return decline("the numbers are not float32");
      if (quantizes && !divides_in_float32(n)) return decline("it divides in another type");
      if (integer(n, "block_size") != 0) return decline("it has scales of blocks");
      if (integers == DType::kI32 && zero && uniform(zero) != 0.0) return decline("int32 has a zero point");
      Patch p(m);
      const auto scale = broadcast_parameter(p, n.input(1), *x, integer(n, "axis"));
      if (!scale) return decline("the scale does not broadcast");
      std::vector<PatchValue> inputs{x, *scale};
      if (zero && integers != DType::kI32) {
        const auto point = broadcast_parameter(p, zero, *x, integer(n, "axis"));
        if (!point) return decline("the zero point does not broadcast");
        inputs.push_back(*point);
      }
      Attributes attributes;
      if (quantizes) attributes.set("to", std::string(name(integers)));
      p.replace(y, p.add(quantizes ? "Quantize" : "Dequantize", std::move(inputs), std::move(attributes)));
      return p;
    },
};

}  // namespace kiln::passes
