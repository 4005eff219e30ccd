// The products that make query, key and value of one tensor become one product and a Split.
#include <array>

#include "base/in_parallel.h"
#include "passes/product_terms.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

// x * weights [+ bias], read by nobody but the attention.
struct Projection {
  Node* product = nullptr;
  Node* sum = nullptr;  // null: no bias
  const Tensor *weights = nullptr, *bias = nullptr;
};

std::optional<Projection> projection_of(const Value* v) {
  Projection p;
  if (!v->has_one_use() || !v->producer()) return std::nullopt;
  Node* n = v->producer();
  if (n->is("Add") && n->post.empty()) {
    const int side = n->input(0)->constant() ? 1 : 0;
    p.sum = n;
    p.bias = n->input(1 - side)->constant();
    v = n->input(side);
    n = v->producer();
    if (!p.bias || p.bias->rank() != 1 || !n || !v->has_one_use()) return std::nullopt;
  }
  if (!n->is("MatMul") || !n->post.empty() || !v->ranked() || v->rank() != 3) return std::nullopt;
  p.product = n;
  p.weights = n->input(1)->constant();
  if (!p.weights || p.weights->rank() != 2) return std::nullopt;
  if (p.bias && (p.bias->dims()[0] != p.weights->dims()[1] || p.bias->dtype() != p.weights->dtype()))
    return std::nullopt;
  return p;
}

// Tensors of one type side by side along the last axis; their other axis, where there is one, is the same.
Tensor side_by_side(const std::array<const Tensor*, 3>& parts) {
  Dims dims = parts[0]->dims();
  dims.back() = 0;
  for (const Tensor* t : parts) dims.back() += t->dims().back();
  Tensor whole = Tensor::allocate(parts[0]->dtype(), dims);
  const int64_t rows = dims.size() == 1 ? 1 : dims[0], columns = dims.back();
  constexpr int64_t kLeast = 1 << 18;  // elements for which a thread pays
  in_parallel_ranges(rows, kLeast / std::max<int64_t>(columns, 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t to = row * columns;
      for (const Tensor* t : parts) {
        copy_elements(*t, row * t->dims().back(), whole, to, t->dims().back());
        to += t->dims().back();
      }
    }
  });
  return whole;
}

}  // namespace

const Rule merge_products{
    .name = "merge_products",
    .pattern = node("Attention"),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& root = m.root();
      std::array<const Tensor*, 3> weights, biases;
      std::array<Projection, 3> projections;
      for (size_t i = 0; i < 3; ++i) {
        const auto p = projection_of(root.input(static_cast<int>(i)));
        if (!p) return decline("an operand is no product with constant weights and bias of its own");
        projections[i] = *p;
        weights[i] = p->weights;
        biases[i] = p->bias;
        const Projection& first = projections[0];
        if (p->product->input(0) != first.product->input(0)) return decline("the products are of different tensors");
        if (!p->bias != !first.bias) return decline("some have a bias and some have none");
        if (p->weights->dtype() != first.weights->dtype()) return decline("the weights are of different types");
      }
      Patch patch(m);
      for (const Projection& p : projections) {
        absorb_all(patch, {{p.product}});
        if (p.sum) absorb_all(patch, {{p.sum}});
      }
      const Node& first = *projections[0].product;
      PatchValue y =
          patch.add("MatMul", {first.input(0), patch.constant(side_by_side(weights), first.input(1)->name())});
      if (projections[0].sum) y = patch.add("Add", {y, patch.constant(side_by_side(biases))});
      Ints sizes;
      for (const Tensor* t : weights) sizes.push_back(t->dims()[1]);
      const PatchValue split =
          patch.add("Split", {y, patch.constant(Tensor::of<int64_t>({3}, sizes))}, {{"axis", int64_t{-1}}}, 3);
      std::vector<PatchValue> inputs = {split, split.result(1), split.result(2)};
      for (size_t i = 3; i < root.inputs().size(); ++i) inputs.emplace_back(root.inputs()[i]);
      patch.replace(root.output(), patch.add("Attention", std::move(inputs), root.attributes));
      return patch;
    },
};

}  // namespace kiln::passes
