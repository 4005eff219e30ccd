// Scaled dot-product attention that a model spells out: softmax(Q * K^T * scale + mask) * V becomes Attention. Windows of an image may have
// a mask each.
#include <cmath>

#include "base/index.h"
#include "ops/reference_math.h"
#include "passes/product_terms.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

// A value times a number, as far as nodes say so.
struct Scaled {
  Value* value = nullptr;
  double scale = 1;
  std::vector<Node*> nodes;
};

// The number by which a node multiplies its operand `of`.
struct Factor {
  double by = 1;
  int of = 0;
};

std::optional<Factor> factor(const Node& n, int64_t rank) {
  const bool product = n.is("Mul");
  if (!product && !n.is("Div")) return std::nullopt;
  if (const auto right = scalar_for(n.input(1), rank)) return Factor{product ? *right : 1 / *right, 0};
  if (!product) return std::nullopt;
  if (const auto left = scalar_for(n.input(0), rank)) return Factor{*left, 1};
  return std::nullopt;
}

Scaled without_scale(Value* v) {
  Scaled s{v, 1, {}};
  while (Node* n = s.value->producer()) {
    if (!n->post.empty() || !s.value->has_one_use()) break;
    const auto f = factor(*n, s.value->rank());
    if (!f) break;
    s.scale *= f->by;
    s.value = n->input(f->of);
    s.nodes.push_back(n);
  }
  return s;
}

// K of K^T that a Reshape of the axes before the last two makes of a transposition, which is taken back before it.
std::optional<PatchValue> keys_of_reshaped(Patch& p, Node& reshape) {
  Node* n = reshape.input(0)->producer();
  if (!n || !n->is("Transpose") || !n->post.empty() || !reshape.post.empty() || !is_told(reshape)) return std::nullopt;
  auto perm = permutation(*n);
  Shape from = n->output()->shape(), to = reshape.output()->shape();
  if (!perm || from.size() < 2 || !(from.back() == to.back()) || !(from[from.size() - 2] == to[to.size() - 2]))
    return std::nullopt;
  std::swap(perm->back(), (*perm)[perm->size() - 2]);
  std::swap(from.back(), from[from.size() - 2]);
  std::swap(to.back(), to[to.size() - 2]);
  const auto target = reshape_target(from, to);
  if (!target) return std::nullopt;
  p.absorb(*n);
  p.absorb(reshape);
  return p.add("Reshape", {p.add("Transpose", {n->input(0)}, {{"perm", *perm}}), p.constant(*target)});
}

// K of the product's right operand K^T: a transposition that is there is taken back or merged.
PatchValue keys(Patch& p, Value* transposed) {
  Ints perm = {0, 1, 3, 2};
  Node* n = transposed->producer();
  if (n && n->is("Reshape"))
    if (const auto k = keys_of_reshaped(p, *n)) return *k;
  if (!n || !n->is("Transpose") || !n->post.empty()) return p.add("Transpose", {transposed}, {{"perm", perm}});
  p.absorb(*n);
  const Ints inner = permutation(*n).value();
  for (int64_t& axis : perm) axis = nth(inner, axis);
  if (perm == Ints{0, 1, 2, 3}) return n->input(0);
  return p.add("Transpose", {n->input(0)}, {{"perm", perm}});
}

// Which operand of the sum of scores and mask is the (scaled) product; -1 when none is.
int product_side(const Node& add) {
  for (int i = 0; i < 2; ++i) {
    const Node* n = without_scale(add.input(i)).value->producer();
    if (n && n->is("MatMul")) return i;
  }
  return -1;
}

// Scores [batch * windows, heads, n, n] to which each window adds its own mask, seen as [batch, windows, heads, n, n].
struct WindowMask {
  Value* scores = nullptr;  // without it
  Node *outer = nullptr, *add = nullptr, *inner = nullptr;
  const Tensor* mask = nullptr;
  Dims seen;  // windows, heads, n, n
};

std::optional<WindowMask> window_mask(Value* v) {
  const auto sole = [](Value* of, const char* op) {
    Node* n = of->producer();
    return n && n->is(op) && n->post.empty() && of->has_one_use() ? n : nullptr;
  };
  WindowMask w;
  w.outer = sole(v, "Reshape");
  w.add = w.outer ? sole(w.outer->input(0), "Add") : nullptr;
  if (!w.add) return std::nullopt;
  const int side = w.add->input(0)->constant() ? 1 : 0;
  w.mask = w.add->input(1 - side)->constant();
  w.inner = sole(w.add->input(side), "Reshape");
  if (!w.mask || !w.inner) return std::nullopt;
  w.scores = w.inner->input(0);
  const Shape &whole = v->shape(), &seen = w.inner->output()->shape();
  if (seen.size() != 5 || !is_static({seen.begin() + 1, seen.end()}) || !w.scores->ranked() ||
      w.scores->shape() != whole || !(w.add->output()->shape() == seen))
    return std::nullopt;
  w.seen = static_dims({seen.begin() + 1, seen.end()});
  for (size_t i = 1; i < 4; ++i)
    if (!(whole[i] == seen[i + 1])) return std::nullopt;
  return w;
}

constexpr int64_t kMostMaskElements = int64_t{1} << 24;

// The masks of all windows, and what is added to all of them (or null), as one mask of [windows, heads or 1, n, n]; nothing when it would be
// too large, or images have masks of their own.
std::optional<Tensor> whole_mask(const WindowMask& w, const Tensor* common) {
  Dims to = w.seen;
  const Tensor* parts[] = {w.mask, common};
  bool one_head = true;
  for (const Tensor* t : parts) {
    if (!t) continue;
    const Dims& dims = t->dims();
    if (dims.size() > 5 || (t == common && dims.size() > 4) || (dims.size() == 5 && dims[0] != 1)) return std::nullopt;
    const size_t heads = dims.size() >= 3 ? dims.size() - 3 : 0;
    one_head = one_head && (dims.size() < 3 || dims[heads] == 1);
    // All but the batch of what is common stands for all windows.
    if (t == common && dims.size() == 4 && dims[0] != 1) return std::nullopt;
  }
  if (one_head) to[1] = 1;
  if (element_count(to) > kMostMaskElements) return std::nullopt;
  Tensor result = Tensor::allocate(w.mask->dtype(), to);
  std::vector<double> sums(static_cast<size_t>(result.size()), 0.0);
  for (const Tensor* t : parts) {
    if (!t) continue;
    const Dims& dims = t->dims();
    const Dims places = ops::broadcast_strides(dims.size() == 5 ? Dims(dims.begin() + 1, dims.end()) : dims, to);
    Dims index(to.size(), 0);
    size_t i = 0;
    for (bool more = !sums.empty(); more; more = ops::advance(index, to)) sums[i++] += t->at(ops::dot(index, places));
  }
  ops::store(result, sums);
  return result;
}

bool is_heads(const Value* v) { return v->ranked() && v->rank() == 4; }

}  // namespace

const Rule attention{
    .name = "attention",
    .pattern = node("MatMul", {once(node("Softmax", {any("scores")})), any("v")}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Value *v = m.value("v"), *scores = m.value("scores");
      const int64_t axis = integer(m["Softmax"], "axis");
      if (!is_heads(v) || !is_heads(scores)) return decline("the operands are not [batch, heads, sequence, size]");
      if (axis != -1 && axis != 3) return decline("softmax is not over the last axis");
      if (!find_op("Attention")) return decline("there is no operator for it");
      Value* mask = nullptr;
      std::vector<Node*> absorbed;
      const auto windows = window_mask(scores);
      if (windows) {
        absorbed = {windows->outer, windows->add, windows->inner};
        scores = windows->scores;
      }
      if (Node* add = scores->producer(); add && add->is("Add") && add->post.empty() && scores->has_one_use()) {
        const int i = product_side(*add);
        if (i < 0) return decline("no operand of the sum is a product");
        mask = add->input(1 - i);
        if (!broadcasts_into(mask, scores->shape())) return decline("the mask does not fit the scores");
        if (mask->rank() < 2) return decline("the mask is not a matrix");
        absorbed.push_back(add);
        scores = add->input(i);
      }
      const Scaled product = without_scale(scores);
      Node* qk = product.value->producer();
      if (!qk || !qk->is("MatMul") || !qk->post.empty() || !product.value->has_one_use())
        return decline("the scores are no product");
      const Scaled q = without_scale(qk->input(0)), k = without_scale(qk->input(1));
      if (!is_heads(q.value) || !is_heads(k.value))
        return decline("the operands are not [batch, heads, sequence, size]");
      for (size_t d : {size_t{0}, size_t{1}})
        if (!(q.value->shape()[d] == v->shape()[d]) || !(k.value->shape()[d] == v->shape()[d]))
          return decline("batch or heads differ");
      Patch p(m);
      absorbed.push_back(qk);
      absorb_all(p, {absorbed, product.nodes, q.nodes, k.nodes});
      std::vector<PatchValue> inputs = {q.value, keys(p, k.value), v};
      if (windows) {
        if (mask && !mask->constant()) return decline("the mask of all windows is not constant");
        auto whole = whole_mask(*windows, mask ? mask->constant() : nullptr);
        if (!whole) return decline("the masks of all windows are no mask of the scores");
        inputs.push_back(p.constant(*std::move(whole)));
      } else if (mask) {
        inputs.emplace_back(mask);
      }
      Attributes attributes{{"scale", product.scale * q.scale * k.scale}};
      if (windows) attributes.set("mask_period", windows->seen[0]);
      // The sum demands that both have one size, whatever it is called.
      if (mask && !windows && !mask->shape().back().is_constant() && !(mask->shape().back() == v->shape()[2]))
        attributes.set("whole_mask", int64_t{1});
      p.replace(m.root().output(), p.add("Attention", std::move(inputs), std::move(attributes)));
      return p;
    },
};

}  // namespace kiln::passes
