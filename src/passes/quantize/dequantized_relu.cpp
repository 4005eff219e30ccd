// Relu of dequantized bytes: the larger of each and the zero point, dequantized, so that a product behind it reads bytes.
#include <algorithm>
#include <cstdint>

#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"

namespace kiln::passes {
namespace {

bool are_all_sound(const Value* scale) {
  const Tensor* t = scale->constant();
  if (!t || t->dtype() != DType::kF32) return false;
  const auto scales = t->as<float>();
  return std::all_of(scales.begin(), scales.end(), sound_scale);
}

// Whether no integer is less than the zero point.
bool begins_at_zero(const Dequantized& from) {
  const auto zero = from.zero_point ? uniform(from.zero_point) : 0.0;
  return zero == (from.integers->dtype() == DType::kI8 ? INT8_MIN : 0);
}

}  // namespace

const Rule dequantized_relu{
    .name = "dequantized_relu",
    .pattern = node("Relu"),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& n = m.root();
      const auto from = dequantized(n.input(0));
      if (!from) return std::nullopt;
      const DType type = from->integers->dtype();
      if (!kByteTypes.has(type)) return decline("the integers are not bytes");
      if (!are_all_sound(from->scale)) return decline("the scale is not sound");
      Patch p(m);
      PatchValue integers = from->integers;
      if (!begins_at_zero(*from)) {
        const PatchValue zero = from->zero_point ? PatchValue(from->zero_point) : p.constant(tensor_of(type, {}, {0}));
        integers = p.add("Max", {integers, zero});
      }
      std::vector<PatchValue> inputs{integers, from->scale};
      if (from->zero_point) inputs.push_back(from->zero_point);
      p.replace(n.output(), p.add("Dequantize", std::move(inputs)));
      return p;
    },
};

}  // namespace kiln::passes
