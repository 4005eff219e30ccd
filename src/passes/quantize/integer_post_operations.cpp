// What follows a product of integers or of bfloat16, scaling, bias, limits, quantized sums and quantization, becomes its post-operations.
#include <algorithm>
#include <cmath>

#include "base/index.h"
#include "passes/post_ops.h"
#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"

namespace kiln::passes {
namespace {

constexpr size_t kMaxSumSteps = 16;

// One number, or one per column: channels of images, the last axis of matrices.
bool is_per_column(const Value* operand, const Value* result, bool images) {
  if (!operand->ranked()) return false;
  const int64_t axis = images ? 1 : result->rank() - 1;
  if (!broadcasts_into(operand, result->shape())) return false;
  const int64_t own = axis - (result->rank() - operand->rank());
  for (int64_t i = 0; i < operand->rank(); ++i)
    if (i != own && !(nth(operand->shape(), i) == Dim(1))) return false;
  return true;
}

// What the operation reads beside the running result, operand 0, is absent or one constant number.
bool has_constant_parameters(const Node& n) {
  return std::all_of(n.inputs().begin() + 1, n.inputs().end(),
                     [](const Value* v) { return !v || (v->constant() && v->constant()->size() == 1); });
}

bool has_limits_in_order(const Node& clip) {
  const Value *low = clip.input(1), *high = clip.input(2);
  const double least = low ? low->constant()->at(0) : -HUGE_VAL, most = high ? high->constant()->at(0) : HUGE_VAL;
  return least <= most;
}

// Whether kernels take the operation on operand `i`.
bool finishes_with(const Node& base, const Node& root, int i) {
  const bool images = base.is("ConvInteger");
  const Value *x = root.input(i), *y = root.output();
  if (root.is("Cast")) return x->dtype() == DType::kI32 && y->dtype() == DType::kF32;
  if (root.is("Dequantize")) return i == 0 && has_constant_parameters(root);
  const Value* other = root.input(1 - std::min(i, 1));
  if (x->dtype() == DType::kI32) return root.is("Add") && other->constant() && is_per_column(other, y, images);
  if (x->dtype() != DType::kF32) return false;
  if (root.is("Relu")) return true;
  if (root.is("Clip")) return i == 0 && has_constant_parameters(root) && has_limits_in_order(root);
  if (root.is("Quantize")) return i == 0 && has_constant_parameters(root) && kByteTypes.has(y->dtype());
  if (root.is("AddDequantized"))
    return i == 0 && same_type(x, y) && other->shape() == y->shape() && kByteTypes.has(other->dtype());
  if (root.is("Add") && same_type(other, y)) return true;
  return (root.is("Add") || root.is("Mul")) && is_per_column(other, y, images);
}

}  // namespace

const Rule integer_post_operations{
    .name = "integer_post_operations",
    .pattern = one_of({"Add", "AddDequantized", "Cast", "Clip", "Dequantize", "Mul", "Quantize", "Relu"}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& root = m.root();
      for (int i = 0; i < static_cast<int>(root.inputs().size()); ++i) {
        const Node* base = root.input(i) ? root.input(i)->producer() : nullptr;
        if (!base || !is_integer_product(*base) || !root.output()->ranked()) continue;
        if (!finishes_with(*base, root, i)) {
          decline("the kernels finish their results otherwise");
          continue;
        }
        if (auto patch = append_post_op(m, i, kMaxSumSteps, is_integer_product)) return patch;
      }
      return std::nullopt;
    },
    .stage = 1,
};

}  // namespace kiln::passes
