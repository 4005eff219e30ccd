// Rows that are moved between a product and a sum are moved before the product, which then does the sum: windows become a picture again.
#include <algorithm>

#include "passes/pass.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

// Its last axis stays as it is.
bool moves_rows(const Node& n) {
  const Value *x = n.input(0), *y = n.output();
  if (!n.post.empty() || !x->ranked() || !y->ranked() || x->rank() < 2 || y->rank() < 2) return false;
  if (n.is("Transpose")) {
    const Ints& perm = n.attributes.ints("perm", {});
    return !perm.empty() && perm.back() == x->rank() - 1;
  }
  if (n.is("Gather"))
    return n.input(1)->constant() && n.input(1)->rank() == 1 &&
           normalize_axis(integer(n, "axis"), x->rank()) != x->rank() - 1;
  return n.is("Reshape") && n.input(1)->constant() && x->shape().back() == y->shape().back();
}

// Nodes from a value back to a product by a constant matrix, users first.
struct Way {
  std::vector<Node*> moves;
  Node* product = nullptr;
};
Way way_back(Value* v) {
  Way way;
  for (; v->producer() && is_read_once(*v); v = v->producer()->input(0)) {
    if (v->producer()->is("MatMul")) {
      way.product = v->producer();
      break;
    }
    if (!moves_rows(*v->producer())) break;
    way.moves.push_back(v->producer());
  }
  return way;
}

bool adds_constants_only(const Node& product) {
  return std::all_of(product.post.begin(), product.post.end(), [&](const ir::PostOp& post) {
    return post.op->name() == "Add" && std::all_of(post.operands.begin(), post.operands.end(), [&](int operand) {
             return operand < 0 || (product.input(operand)->constant() && product.input(operand)->rank() <= 1);
           });
  });
}

// The movement of rows of `terms` elements.
PatchValue moved(Patch& p, const Node& n, PatchValue x, int64_t terms) {
  if (!n.is("Reshape")) {
    std::vector<PatchValue> inputs{x};
    if (n.is("Gather")) inputs.push_back(n.input(1));
    return p.add(n.op_name(), std::move(inputs), n.attributes);
  }
  std::vector<int64_t> shape = n.input(1)->constant()->to_ints();
  if (shape.back() != 0) shape.back() = terms;
  return p.add("Reshape", {x, p.constant(Tensor::of<int64_t>({static_cast<int64_t>(shape.size())}, shape))},
               n.attributes);
}

}  // namespace

const Rule rows_before_product{
    .name = "rows_before_product",
    .pattern = node("Add", {any(), any()}),
    .rewrite_within = [](const Match& m, const PassOptions& options) -> std::optional<Patch> {
      const FusionLimits& limits = options.limits;
      const Node& root = m.root();
      if (!limits.bases.count("MatMul") || limits.sums == 0 || !root.post.empty()) return std::nullopt;
      for (int i : {0, 1}) {
        const Way way = way_back(root.input(i));
        if (!way.product || way.moves.empty()) continue;
        const Value *b = way.product->input(1), *x = way.product->input(0);
        if (!b->constant() || b->rank() != 2 || !x->ranked() || x->rank() < 2 || !adds_constants_only(*way.product))
          return decline("the product is not by a constant matrix, or does more than to add constants");
        const int64_t terms = b->constant()->dims()[0], columns = b->constant()->dims()[1];
        const bool names_only =
            std::all_of(way.moves.begin(), way.moves.end(), [](const Node* n) { return n->is("Reshape"); });
        if (!names_only && terms > columns) return decline("its operand is larger than its result");
        if (terms == 0 || !same_type(root.input(i), root.output()) || !same_type(root.input(1 - i), root.output()))
          return decline("the sum is not of tensors of one shape");
        Patch p(m);
        PatchValue y = way.product->input(0);
        for (auto n = way.moves.rbegin(); n != way.moves.rend(); ++n) y = moved(p, **n, y, terms);
        y = p.add("MatMul", {y, way.product->input(1)});
        p.take_post_ops(y, *way.product);
        p.add_post_op(y, "Add", {}, {std::nullopt, PatchValue(root.input(1 - i))});
        p.absorb(*way.product);
        for (Node* n : way.moves) p.absorb(*n);
        p.replace(root.output(), y);
        return p;
      }
      return std::nullopt;
    },
    .stage = 3,
};

}  // namespace kiln::passes
