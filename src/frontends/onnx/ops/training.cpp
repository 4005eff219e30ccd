// ai.onnx.preview.training: one step of Momentum, Adagrad or Adam. The inputs are the learning rate, the count of steps, then the tensors
// that are trained, their gradients and what is kept of earlier steps, list by list; the results are the new tensors and what is kept.
#include "frontends/onnx/ops/ops.h"

#include "base/index.h"

namespace kiln::onnx::ops {
namespace {

// Arithmetic on values of one type.
class Arithmetic {
 public:
  Arithmetic(NodeImport& n, DType type) : n_(n), type_(type) {}
  ir::Value* number(double value) const { return n_.scalar(type_, value); }
  ir::Value* attribute(const char* name, double fallback) const { return number(n_.real(name, fallback)); }
  ir::Value* as(ir::Value* x) const {
    return x->dtype() == type_ ? x : n_.add("Cast", {x}, {{"to", std::string(name(type_))}});
  }
  ir::Value* plus(ir::Value* a, ir::Value* b) const { return n_.add("Add", {a, b}); }
  ir::Value* minus(ir::Value* a, ir::Value* b) const { return n_.add("Sub", {a, b}); }
  ir::Value* times(ir::Value* a, ir::Value* b) const { return n_.add("Mul", {a, b}); }
  ir::Value* over(ir::Value* a, ir::Value* b) const { return n_.add("Div", {a, b}); }
  ir::Value* root(ir::Value* a) const { return n_.add("Sqrt", {a}); }
  ir::Value* power(ir::Value* a, ir::Value* b) const { return n_.add("Pow", {a, b}); }
  // `yes` once the first step is done, else `no`.
  ir::Value* later(ir::Value* yes, ir::Value* no) const {
    ir::Value* begun = n_.add("Greater", {n_.in(1), n_.scalar(n_.dtype(1), 0)});
    return n_.add("Where", {begun, yes, no});
  }
  // The gradient of the tensor and of the square of its length.
  ir::Value* regular(ir::Value* x, ir::Value* gradient) const {
    return plus(times(attribute("norm_coefficient", 0), x), gradient);
  }

 private:
  NodeImport& n_;
  DType type_;
};

using Step = std::vector<ir::Value*> (*)(NodeImport& n, const Arithmetic& a, const std::vector<ir::Value*>& lists);

// `lists` inputs for each tensor; the results stand list by list, too.
void import_training(NodeImport& n, int lists, Step step) {
  const int tensors = (n.input_count() - 2) / lists;
  if (tensors < 1 || n.input_count() != 2 + tensors * lists)
    n.invalid("there are " + std::to_string(n.input_count()) + " inputs",
              "two, and " + std::to_string(lists) + " for each tensor, are needed");
  std::vector<ir::Value*> results(static_cast<size_t>(tensors * (lists - 1)));
  for (int t = 0; t < tensors; ++t) {
    std::vector<ir::Value*> given;
    for (int list = 0; list < lists; ++list) given.push_back(n.in(2 + list * tensors + t));
    const std::vector<ir::Value*> made = step(n, Arithmetic(n, given[0]->dtype()), given);
    for (int list = 0; list + 1 < lists; ++list) nth(results, list * tensors + t) = nth(made, list);
  }
  n.yield(std::move(results));
}

std::vector<ir::Value*> momentum_step(NodeImport& n, const Arithmetic& a, const std::vector<ir::Value*>& lists) {
  ir::Value *x = lists[0], *gradient = a.regular(x, lists[1]), *alpha = a.attribute("alpha", 0);
  ir::Value* beta = a.later(a.attribute("beta", 0), a.number(1));
  ir::Value* v = a.plus(a.times(alpha, lists[2]), a.times(beta, gradient));
  const std::string mode = n.text("mode");
  if (mode != "standard" && mode != "nesterov") n.invalid("mode '" + mode + "' is neither standard nor nesterov");
  ir::Value* way = mode == "standard" ? v : a.plus(gradient, a.times(alpha, v));
  return {a.minus(x, a.times(a.as(n.in(0)), way)), v};
}

std::vector<ir::Value*> adagrad_step(NodeImport& n, const Arithmetic& a, const std::vector<ir::Value*>& lists) {
  ir::Value *x = lists[0], *gradient = a.regular(x, lists[1]), *h = a.plus(lists[2], a.times(gradient, gradient));
  ir::Value* slowed = a.plus(a.number(1), a.times(a.as(n.in(1)), a.attribute("decay_factor", 0)));
  ir::Value* rate = a.over(a.as(n.in(0)), slowed);
  ir::Value* adapted = a.plus(a.root(h), a.attribute("epsilon", 1e-6));
  return {a.minus(x, a.over(a.times(rate, gradient), adapted)), h};
}

std::vector<ir::Value*> adam_step(NodeImport& n, const Arithmetic& a, const std::vector<ir::Value*>& lists) {
  const double alpha = n.real("alpha", 0.9), beta = n.real("beta", 0.999);
  ir::Value *x = lists[0], *gradient = a.regular(x, lists[1]);
  ir::Value* v = a.plus(a.times(a.number(alpha), lists[2]), a.times(a.number(1 - alpha), gradient));
  ir::Value* h = a.plus(a.times(a.number(beta), lists[3]), a.times(a.number(1 - beta), a.times(gradient, gradient)));
  ir::Value *count = a.as(n.in(1)), *rate = a.as(n.in(0)), *one = a.number(1);
  ir::Value* corrected = a.over(a.times(rate, a.root(a.minus(one, a.power(a.number(beta), count)))),
                                a.minus(one, a.power(a.number(alpha), count)));
  ir::Value* way = a.over(v, a.plus(a.root(h), a.attribute("epsilon", 1e-6)));
  ir::Value* moved = a.minus(x, a.times(a.later(corrected, rate), way));
  return {a.times(a.number(1 - n.real("norm_coefficient_post", 0)), moved), v, h};
}

}  // namespace

const OnnxOp training_adagrad{"ai.onnx.preview.training.Adagrad",
                              {{1, [](NodeImport& n) { import_training(n, 3, adagrad_step); }}}};
const OnnxOp training_adam{"ai.onnx.preview.training.Adam",
                           {{1, [](NodeImport& n) { import_training(n, 4, adam_step); }}}};
const OnnxOp training_gradient{"ai.onnx.preview.training.Gradient",
                               {{1, [](NodeImport& n) {
                                   n.unsupported(
                                       "derivatives are not taken: Kiln runs networks and does not train them",
                                       "export the graph of the gradient itself");
                                 }}}};
const OnnxOp training_momentum{"ai.onnx.preview.training.Momentum",
                               {{1, [](NodeImport& n) { import_training(n, 3, momentum_step); }}}};

}  // namespace kiln::onnx::ops
