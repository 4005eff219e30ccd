// Nodes with the same operator, attributes, inputs and type to compute in are computed once.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

constexpr int64_t kComparedElements = 64;

// Small constants are equal when their content is; others when they are one value or share their data.
std::string key_of(const Value* v) {
  if (!v) return "_";
  const Tensor* t = v->constant();
  if (!t) return "v" + std::to_string(reinterpret_cast<uintptr_t>(v));
  if (t->size() <= kComparedElements) return to_string(Attribute(*t));
  return "c" + t->type_string() + std::to_string(reinterpret_cast<uintptr_t>(t->data()));
}

std::string key_of(const Node& n) {
  std::string key = n.op_name() + to_string(n.attributes) + std::to_string(n.outputs().size()) +
                    std::string(name(n.precision)) + "," + std::string(name(n.declared));
  for (const auto& post : n.post) {
    key += "+" + post.op->name() + to_string(post.attributes);
    for (int k : post.operands) key += "," + std::to_string(k);
  }
  for (const Value* v : n.inputs()) key += "|" + key_of(v);
  return key;
}

bool may_merge(const Node& n, const Node& first) {
  for (size_t i = 0; i < n.outputs().size(); ++i)
    if (!can_forward(n.outputs()[i], first.outputs()[i])) return false;
  return true;
}

}  // namespace

const Rule common_subexpressions{
    .name = "common_subexpressions",
    .pattern = {},
    .rewrite = nullptr,
    .walk =
        [](Graph& graph) {
          std::vector<Patch> patches;
          std::map<std::string, Node*> seen;
          for (const auto& n : graph.nodes()) {
            if (!n->op().deterministic() || !n->regions.empty()) continue;
            auto [it, fresh] = seen.try_emplace(key_of(*n), n.get());
            if (fresh || !may_merge(*n, *it->second)) continue;
            Patch p(*n);
            for (size_t i = 0; i < n->outputs().size(); ++i) p.replace(n->outputs()[i], it->second->outputs()[i]);
            patches.push_back(std::move(p));
          }
          return patches;
        },
};

}  // namespace kiln::passes
