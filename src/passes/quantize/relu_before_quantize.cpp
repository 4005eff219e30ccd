// The larger of the quantized results of a product and of their zero point: Relu before the quantization, which the product takes both.
#include <algorithm>

#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"

namespace kiln::passes {
namespace {

// Sums of integers that are multiplied once at most, and added to, by what is finite: they may be infinite, but are numbers.
bool gives_numbers(const Node& product) {
  int multiplied = 0;
  for (const ir::PostOp& post : product.post) {
    if (!(post.op->name() == "Cast" || post.op->name() == "Add" || post.op->name() == "Mul")) return false;
    multiplied += post.op->name() == "Mul";
  }
  const auto& inputs = product.inputs();
  return multiplied < 2 && std::all_of(inputs.begin() + product.base_input_count(), inputs.end(),
                                       [](const Value* v) { return v->constant() && is_finite(*v->constant()); });
}

}  // namespace

const Rule relu_before_quantize{
    .name = "relu_before_quantize",
    .pattern = node("Max", {once(node("Quantize")), constant("zero")}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node &n = m.root(), &q = m["Quantize"];
      const Node* product = q.input(0)->producer();
      if (!product || !is_integer_product(*product)) return decline("no product of integers makes the numbers");
      if (!one_scale(q.input(1))) return decline("the scale is not one sound number");
      if (!same_zero_points(q.input(2), m.value("zero"))) return decline("it is not the zero point");
      if (!same_type(n.output(), q.output())) return decline("the shape changes");
      if (!gives_numbers(*product)) return decline("the product may give what is no number");
      Patch p(m);
      p.set_name(q.name());
      std::vector<PatchValue> inputs(q.inputs().begin(), q.inputs().end());
      inputs[0] = p.add("Relu", {q.input(0)});
      p.replace(n.output(), p.add("Quantize", std::move(inputs), q.attributes));
      return p;
    },
};

}  // namespace kiln::passes
