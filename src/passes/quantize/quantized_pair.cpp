// A product of two dequantized operands that only running tells, as attention has them, becomes a product of the integers.
#include "passes/quantize/integer_sums.h"
#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"

namespace kiln::passes {
const Rule quantized_pair{
    .name = "quantized_pair",
    .pattern = node("MatMul"),
    .rewrite_within = [](const Match& m, const PassOptions& options) -> std::optional<Patch> {
      const Node& n = m.root();
      const auto a = dequantized(n.input(0)), b = dequantized(n.input(1));
      if (!a || !b || b->integers->constant()) return std::nullopt;
      if (n.precision == DType::kF32) return decline("it is to compute in float32");
      if (!kByteTypes.has(a->integers->dtype()) || !kByteTypes.has(b->integers->dtype()))
        return decline("an operand is not of bytes");
      if (!multiplies_alike(a->integers, b->integers)) return decline("leading axes broadcast");
      const auto a_scale = one_scale(a->scale), b_scale = one_scale(b->scale);
      if (!a_scale || !b_scale) return decline("an operand has no sound scale of its own");
      if (a->zero_point && !uniform(a->zero_point)) return decline("a has no zero point of its own");
      if (!centres_bytes(b->integers->dtype(), b->zero_point)) return decline("b is not centred by its zero point");
      const auto terms = largest_size(a->integers->shape().back(), options);
      if (!terms) return decline("only running tells how many products it sums");
      if (!sums_fit(byte_range(a->integers->dtype(), a->zero_point), byte_range(b->integers->dtype(), b->zero_point),
                    *terms))
        return decline(kSumsMayWrap);
      Patch p(m);
      std::vector<PatchValue> inputs{a->integers, b->integers};
      const auto number = [&](const Value* v) {
        return p.constant(tensor_of(v->dtype(), {}, {*uniform(v)}), v->name());
      };
      if (a->zero_point || b->zero_point) inputs.push_back(a->zero_point ? number(a->zero_point) : PatchValue());
      if (b->zero_point) inputs.push_back(number(b->zero_point));
      const PatchValue scale = p.constant(Tensor::scalar(*a_scale * *b_scale));
      const PatchValue sums = p.add("MatMulInteger", std::move(inputs));
      p.add_post_op(sums, "Cast", {{"to", std::string("float32")}}, {std::nullopt});
      p.add_post_op(sums, "Mul", {}, {std::nullopt, scale});
      p.replace(n.output(), sums);
      return p;
    },
};

}  // namespace kiln::passes
