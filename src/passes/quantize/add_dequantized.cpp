// A sum with a dequantized tensor reads its integers.
#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"

namespace kiln::passes {
namespace {

// Worth being the running result: what a product of integers, and nobody else, leads to by pointwise operations.
bool follows_product(const Value* v) {
  while (v->has_one_use() && v->producer()) {
    if (is_integer_product(*v->producer())) return true;
    if (!v->producer()->op().is_pointwise() || !v->producer()->input(0)) return false;
    v = v->producer()->input(0);
  }
  return false;
}

// Whether this operand may be read as integers.
bool may_be_read(const Node& sum, int i) {
  const auto from = dequantized(sum.input(i));
  return from && bits(from->integers->dtype()) <= 16 && one_scale(from->scale) &&
         (!from->zero_point || uniform(from->zero_point)) && same_type(sum.input(i), sum.output());
}

}  // namespace

const Rule add_dequantized{
    .name = "add_dequantized",
    .pattern = node("Add"),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& n = m.root();
      if (n.output()->dtype() != DType::kF32) return std::nullopt;
      const bool left = may_be_read(n, 0), right = may_be_read(n, 1);
      if (!left && !right) return decline("no operand is dequantized by one scale to the shape of the sum");
      const int read = left && right ? follows_product(n.input(0)) : right;
      const auto from = dequantized(n.input(read));
      Patch p(m);
      std::vector<PatchValue> inputs{n.input(1 - read), from->integers, from->scale};
      if (from->zero_point) inputs.push_back(from->zero_point);
      p.replace(n.output(), p.add("AddDequantized", std::move(inputs)));
      return p;
    },
};

}  // namespace kiln::passes
