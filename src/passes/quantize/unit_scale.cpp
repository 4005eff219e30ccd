// Quantize at the end of a product of integers divides by one: its scale goes into the factors before it. Results may differ by one unit
// where the exact quotient lies halfway between two integers.
#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"

namespace kiln::passes {
namespace {

// A post-operation as it will be made.
struct Step {
  std::string op;
  Attributes attributes;
  std::vector<Value*> operands;  // null where the running result or nothing stands
  std::vector<bool> running;
  double divisor = 1;  // of the operands at `scaled`
  std::vector<size_t> scaled;
};

std::vector<Step> steps_of(const Node& n) {
  std::vector<Step> steps;
  for (const ir::PostOp& post : n.post) {
    Step s{post.op->name(), post.attributes, {}, {}, 1, {}};
    for (int k : post.operands) {
      s.operands.push_back(k < 0 ? nullptr : n.input(k));
      s.running.push_back(k < 0);
    }
    steps.push_back(std::move(s));
  }
  return steps;
}

bool is_constant_float(const Value* v) { return v && v->constant() && v->dtype() == DType::kF32; }

size_t other_operand(const Step& s) { return s.running[0] ? 1 : 0; }

// Divides the results of steps [.., end) by `divisor`, as far up as a factor that absorbs it. Whether there is one.
bool divide(std::vector<Step>& steps, size_t end, double divisor) {
  std::vector<std::pair<Step*, std::vector<size_t>>> touched;
  for (size_t i = end; i-- > 0;) {
    Step& s = steps[i];
    if (s.divisor != 1) return false;
    if (s.op == "Relu") continue;
    std::vector<size_t> scaled;
    if (s.op == "Clip") {
      for (size_t k = 1; k < s.operands.size(); ++k)
        if (s.operands[k]) scaled.push_back(k);
    } else if (s.op == "Add" || s.op == "Mul") scaled = {other_operand(s)};
    else if (s.op == "AddDequantized") scaled = {2};
    else if (s.op == "Dequantize") scaled = {1};
    else return false;
    for (size_t k : scaled)
      if (!is_constant_float(s.operands[k])) return false;
    touched.emplace_back(&s, scaled);
    if (s.op != "Mul" && s.op != "Dequantize") continue;
    for (auto& [step, operands] : touched) step->divisor = divisor, step->scaled = operands;
    return true;
  }
  return false;
}

Tensor divided(const Tensor& t, double divisor) {
  Tensor result = Tensor::allocate(DType::kF32, t.dims());
  for (int64_t i = 0; i < t.size(); ++i) result.set(i, static_cast<float>(t.at(i) / divisor));
  return result;
}

bool divide_all(std::vector<Step>& steps) {
  bool changed = false;
  for (size_t i = 0; i < steps.size(); ++i) {
    Step& s = steps[i];
    const auto scale = s.op == "Quantize" ? one_scale(s.operands[1]) : std::nullopt;
    if (!scale || *scale == 1.0f || !divide(steps, i, *scale)) continue;
    s.divisor = *scale;
    s.scaled = {1};
    changed = true;
  }
  return changed;
}

}  // namespace

const Rule unit_scale{
    .name = "unit_scale",
    .pattern = one_of({"ConvInteger", "MatMulInteger"}).with_post_ops(),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& n = m.root();
      auto steps = steps_of(n);
      if (!divide_all(steps)) return std::nullopt;
      Patch p(m);
      std::vector<std::vector<std::optional<PatchValue>>> operands;
      for (const Step& s : steps) {
        auto& list = operands.emplace_back();
        for (size_t k = 0; k < s.operands.size(); ++k) {
          const bool scaled = std::count(s.scaled.begin(), s.scaled.end(), k) > 0;
          if (s.running[k]) list.emplace_back(std::nullopt);
          else if (scaled) list.emplace_back(p.constant(divided(*s.operands[k]->constant(), s.divisor)));
          else list.emplace_back(PatchValue(s.operands[k]));
        }
      }
      std::vector<PatchValue> inputs(n.inputs().begin(), n.inputs().begin() + n.base_input_count());
      const PatchValue made = p.add(n.op_name(), std::move(inputs), n.attributes);
      for (size_t i = 0; i < steps.size(); ++i)
        p.add_post_op(made, steps[i].op, steps[i].attributes, std::move(operands[i]));
      p.replace(n.output(), made);
      return p;
    },
    .stage = 2,
};

}  // namespace kiln::passes
