// A node whose inputs are constants becomes a constant.
#include <set>

#include "base/error.h"
#include "base/work.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

constexpr int64_t kAlwaysSmall = int64_t{1} << 16;  // elements
constexpr int64_t kMostRounds = int64_t{1} << 27;   // of the loops of one evaluation
constexpr int64_t kMostGrowth = int64_t{1} << 24;   // elements that folding adds to a graph

// Folding must not blow a graph up: results may have as many elements as the inputs, or few, and all of them together not too many more.
bool outputs_fit(const Node& n) {
  int64_t given = 0, made = 0;
  std::set<const Value*> counted;
  for (const Value* v : n.inputs())
    if (v && counted.insert(v).second) given += v->constant()->size();
  for (const Value* v : n.outputs()) {
    if (!v->is_tensor() || !v->ranked() || !is_static(v->shape())) return false;
    const auto count = checked_element_count(static_dims(v->shape()));
    if (!count) return false;
    made += *count;
  }
  if (made <= given) return true;
  if (made - given > kAlwaysSmall || n.graph().folded_growth + made - given > kMostGrowth) return false;
  n.graph().folded_growth += made - given;
  return true;
}

}  // namespace

std::optional<Patch> folded(const Match& m) {
  Node& n = m.root();
  for (const Value* v : n.inputs())
    if (v && !v->constant()) return std::nullopt;
  if (!outputs_fit(n)) return decline("the result is too large or not known");
  for (const Value* v : n.outputs())
    if (v->is_graph_output()) return decline("an output of the graph must be the result of a node");
  std::vector<Datum> inputs;
  for (const Value* v : n.inputs()) inputs.push_back(v ? Datum(*v->constant()) : Datum());
  std::vector<Datum> results;
  try {
    const WorkScope scope({.name = "folding", .most_rounds = kMostRounds});
    results = ir::evaluate(n, std::move(inputs));
  } catch (const Error& error) {
    check_work();
    return decline(error.message());
  }
  Patch p(m);
  for (size_t i = 0; i < results.size(); ++i)
    p.replace(n.outputs()[i], p.constant(results[i].tensor, n.outputs()[i]->name()));
  return p;
}

const Rule fold_constants{
    .name = "fold_constants",
    .pattern = one_of({}).with_post_ops(),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& n = m.root();
      if (!n.op().deterministic() || !n.regions.empty() || n.is("DequantizeLinear") || n.is("Dequantize"))
        return std::nullopt;
      return folded(m);
    },
};

}  // namespace kiln::passes
