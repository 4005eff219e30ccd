// Layer norm of a sum of rows of tables, as transformers begin, in one step.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

constexpr size_t kMostTables = 2;

// What Adds that nobody else reads add up.
struct Sum {
  std::vector<Value*> summands;
  std::vector<Node*> adds;
  void collect(Value* v) {
    Node* n = v->producer();
    if (!n || !n->is("Add") || !n->post.empty() || !is_read_once(*v)) {
      summands.push_back(v);
      return;
    }
    adds.push_back(n);
    for (int i : {0, 1}) collect(n->input(i));
  }
};

bool gathers_rows(const Value& v) {
  const Node* n = v.producer();
  return n && n->is("Gather") && n->post.empty() && is_read_once(v) && n->input(0)->ranked() &&
         n->input(0)->rank() == 2 && normalize_axis(integer(*n, "axis"), 2) == 0;
}

// Its rows, one after the other and from the first again, are added to those of `whole`.
bool repeats_into(const Value& part, const Value& whole) {
  if (!part.ranked() || part.rank() > whole.rank() || part.dtype() != whole.dtype()) return false;
  const Shape &from = part.shape(), &to = whole.shape();
  size_t ones = 0;
  while (ones + 1 < from.size() && from[ones] == Dim(1)) ++ones;
  return std::equal(from.begin() + static_cast<int64_t>(ones), from.end(),
                    to.end() - static_cast<int64_t>(from.size() - ones));
}

// One tensor for all of them; null when only running could add them up.
std::optional<PatchValue> sum_of(const std::vector<Value*>& values, Patch& p) {
  if (values.empty()) return PatchValue();
  if (values.size() == 1) return PatchValue(values[0]);
  if (!std::all_of(values.begin(), values.end(), [](const Value* v) { return v->constant() != nullptr; }))
    return std::nullopt;
  Datum sum = *values[0]->constant();
  for (size_t i = 1; i < values.size(); ++i)
    sum = evaluate(*find_op("Add"), {}, {std::move(sum), *values[i]->constant()}, 1)[0];
  return p.constant(std::move(sum.tensor));
}

}  // namespace

const Rule embedding_norm{
    .name = "embedding_norm",
    .pattern = node("LayerNormalization", {once(node("Add"))}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& norm = m.root();
      Value* x = norm.input(0);
      if (norm.outputs().size() > 1) return decline("the statistics are results");
      if (!norm.post.empty() || !x->ranked() || x->rank() == 0 ||
          normalize_axis(integer(norm, "axis"), x->rank()) != x->rank() - 1)
        return decline("the norm is not over the last axis alone, or something follows it");
      const Value* bias = norm.base_input_count() > 2 ? norm.input(2) : nullptr;
      for (const Value* v : {static_cast<const Value*>(norm.input(1)), bias})
        if (v && (!v->ranked() || v->rank() != 1 || !(v->shape()[0] == x->shape().back())))
          return decline("scale or bias is no row");
      if (x->dtype() == DType::kF64) return decline("float64 is normalised by the reference");
      Sum sum;
      sum.collect(x);
      std::vector<Value*> others;
      std::vector<Node*> gathers;
      for (Value* v : sum.summands) {
        if (!repeats_into(*v, *x)) return decline("a summand does not repeat along the first axes");
        if (gathers.size() < kMostTables && gathers_rows(*v)) gathers.push_back(v->producer());
        else others.push_back(v);
      }
      if (gathers.empty()) return decline("no summand is rows of a table");
      Patch p(m);
      const auto added = sum_of(others, p);
      if (!added) return decline("more than one tensor beside the rows is known only when running");
      std::vector<PatchValue> inputs{gathers[0]->input(0), gathers[0]->input(1), norm.input(1),
                                     bias ? norm.input(2) : nullptr, *added};
      if (gathers.size() == kMostTables) inputs.insert(inputs.end(), {gathers[1]->input(0), gathers[1]->input(1)});
      for (const auto* parts : {&sum.adds, &gathers})
        for (Node* part : *parts)
          if (part != &m["Add"]) p.absorb(*part);
      p.replace(norm.output(), p.add("EmbeddingNorm", std::move(inputs), {{"epsilon", real(norm, "epsilon")}}));
      return p;
    },
    .makes = "EmbeddingNorm",
};

}  // namespace kiln::passes
