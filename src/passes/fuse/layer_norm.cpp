// Layer normalisation that a model spells out: (x - mean) / sqrt(variance + epsilon) * scale + bias.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

bool means_last_axis(const Node& mean) {
  const Value* x = mean.input(0);
  if (!x->ranked() || x->rank() < 1 || integer(mean, "keepdims") != 1) return false;
  const auto axes = known_ints(mean.input(1));
  return axes && axes->size() == 1 && ((*axes)[0] == -1 || (*axes)[0] == x->rank() - 1);
}

}  // namespace

const Rule layer_norm{
    .name = "layer_norm",
    .pattern = node(
        "Add",
        {once(node(
             "Mul",
             {once(node("Div", {node("Sub", {any("x"), node("ReduceMean", {any("x")}).as("mean")}).as("centred"),
                                once(node("Sqrt", {once(node("Add", {once(node("ReduceMean",
                                                                               {one_of({"Mul", "Pow"}).as("square")})
                                                                              .as("variance")),
                                                                     constant("epsilon")}))}))})),
              constant("scale")})),
         constant("bias")}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Value* x = m.value("x");
      const Node& square = m["square"];
      if (square.input(0) != m.value("centred")) return decline("the variance is of another value");
      if (square.is("Mul") ? square.input(1) != square.input(0) : !is_about(uniform(square.input(1)), 2))
        return decline("it is no square");
      if (!means_last_axis(m["mean"]) || !means_last_axis(m["variance"]))
        return decline("the means are not over the last axis");
      const auto epsilon = scalar_for(m.value("epsilon"), x->rank());
      if (!epsilon) return decline("epsilon is not one number");
      const Dim& last = x->shape().back();
      for (const Value* v : {m.value("scale"), m.value("bias")})
        if (v->rank() != 1 || !(v->shape()[0] == last)) return decline("scale or bias are not of the last axis");
      Patch p(m);
      p.replace(m.root().output(), p.add("LayerNormalization", {x, m.value("scale"), m.value("bias")},
                                         {{"axis", int64_t{-1}}, {"epsilon", *epsilon}}));
      return p;
    },
};

}  // namespace kiln::passes
