// A Reshape between a product and what its kernel may do afterwards stands before the product: its rows only take other names.
#include <algorithm>

#include "passes/pass.h"
#include "passes/post_ops.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

// The Reshape that makes `v`, when its last axis stays as it is.
Node* names_rows(const Value* v) {
  Node* n = v->producer();
  if (!n || !n->is("Reshape") || !n->post.empty() || !n->input(1)->constant() || !v->has_one_use()) return nullptr;
  const Value* x = n->input(0);
  if (!x->ranked() || !v->ranked() || x->rank() < 2 || v->rank() < 2) return nullptr;
  return x->shape().back() == v->shape().back() ? n : nullptr;
}

// A product by one matrix that nobody else reads, whose further steps are the same for all rows.
Node* product_of_rows(const Value* v) {
  Node* n = v->producer();
  if (!n || !n->is("MatMul") || !v->has_one_use()) return nullptr;
  const Value *x = n->input(0), *b = n->input(1);
  if (!x->ranked() || x->rank() < 2 || !b->ranked() || b->rank() != 2) return nullptr;
  const bool by_columns = std::all_of(n->post.begin(), n->post.end(), [&](const ir::PostOp& post) {
    return std::all_of(post.operands.begin(), post.operands.end(), [&](int operand) {
      return operand < 0 || (n->input(operand)->ranked() && n->input(operand)->rank() <= 1);
    });
  });
  return by_columns ? n : nullptr;
}

// `x` in that shape; what it was made of, where that has it already.
std::optional<PatchValue> renamed(Patch& p, Value* x, const Shape& shape) {
  const Node* n = x->producer();
  if (n && n->is("Reshape") && n->post.empty() && n->input(0)->ranked() && n->input(0)->shape() == shape)
    return n->input(0);
  const auto target = reshape_target(x->shape(), shape);
  if (!target) return std::nullopt;
  return p.add("Reshape", {x, p.constant(*target)});
}

}  // namespace

const Rule reshape_before_product{
    .name = "reshape_before_product",
    .pattern = one_of({}),
    .rewrite_within = [](const Match& m, const PassOptions& options) -> std::optional<Patch> {
      const Node& root = m.root();
      const FusionLimits& limits = options.limits;
      if (!root.op().is_pointwise() || !root.post.empty() || !limits.bases.count("MatMul")) return std::nullopt;
      for (int i = 0; i < static_cast<int>(root.inputs().size()); ++i) {
        Node* reshape = root.input(i) ? names_rows(root.input(i)) : nullptr;
        Node* product = reshape ? product_of_rows(reshape->input(0)) : nullptr;
        if (!product) continue;
        if (!finishes(*product, root, i, options)) return decline("the kernels finish their results otherwise");
        auto operands = post_op_operands(root, i);
        if (!operands) return std::nullopt;
        Shape rows = root.input(i)->shape();
        rows.back() = product->input(0)->shape().back();
        Patch p(m);
        const auto x = renamed(p, product->input(0), rows);
        if (!x) return decline("the shape is not known when building");
        const PatchValue y = p.add("MatMul", {*x, product->input(1)});
        p.take_post_ops(y, *product);
        p.add_post_op(y, root.op_name(), root.attributes, *std::move(operands));
        p.absorb(*product);
        p.absorb(*reshape);
        p.replace(root.output(), y);
        return p;
      }
      return std::nullopt;
    },
    .stage = 1,
};

}  // namespace kiln::passes
