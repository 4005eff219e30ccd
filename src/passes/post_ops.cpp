// Appending pointwise nodes to the node that computes their operand.
#include "passes/post_ops.h"

#include <algorithm>
#include <set>

#include "passes/value_queries.h"

namespace kiln::passes {

namespace {

bool adds_tensor(const Node& base, const ir::PostOp& post) {
  return std::any_of(post.operands.begin(), post.operands.end(),
                     [&](int operand) { return operand >= 0 && !base.input(operand)->constant(); });
}

size_t tensors_of(const Node& base) {
  return static_cast<size_t>(std::count_if(base.post.begin(), base.post.end(),
                                           [&](const ir::PostOp& post) { return adds_tensor(base, post); }));
}

// A number, or one for each column.
bool is_number_or_columns(const Tensor& t, int64_t rank, int64_t column_axis) {
  for (int64_t axis = 0; axis < t.rank(); ++axis)
    if (t.dims()[static_cast<size_t>(axis)] != 1 && axis + rank - t.rank() != column_axis) return false;
  return true;
}

bool adds_bias(const Node& base, const ir::PostOp& post) {
  return post.op->name() == "Add" && !adds_tensor(base, post);
}

bool is_image(const Node& base) { return base.is("Conv") || base.is("ConvTranspose"); }

// Whether kernels run programs behind it.
bool takes_programs(const Node& base) {
  constexpr size_t kMostAxes = 4;  // rules take convolutions over depth apart
  const DType type = base.output()->dtype();
  if (!base.input(1)->constant() || !is_float(type) || type == DType::kF64) return false;
  return !is_image(base) || (integer(base, "group") == 1 && base.output()->shape().size() <= kMostAxes);
}

// An activation, or what joins a tensor to the result.
enum class Link : uint8_t { kNone, kActivation, kJoin };

Link link_of(const OpDef& op, const std::vector<const Value*>& others, const Shape& result,
             const FusionLimits& limits) {
  const auto is_number = [](const Value* v) { return v->constant() && v->constant()->size() == 1; };
  if (limits.activations.count(op.name()) && std::all_of(others.begin(), others.end(), is_number))
    return Link::kActivation;
  if (!limits.joins.count(op.name()) || others.size() != 1) return Link::kNone;
  const Value* v = others[0];
  return v->ranked() && !v->constant() && is_float(v->dtype()) && v->shape() == result ? Link::kJoin : Link::kNone;
}

// Whether the last link may follow those of the base.
bool continues_joins(const Node& base, const Node& root, int x, const FusionLimits& limits) {
  const Shape& result = base.output()->shape();
  size_t joins = 0, activations = 0;
  const auto add = [&](Link link) {
    joins += link == Link::kJoin;
    activations += link == Link::kActivation;
    return link != Link::kNone;
  };
  bool begun = false;
  for (const ir::PostOp& post : base.post) {
    if (!begun && adds_bias(base, post)) continue;
    begun = true;
    std::vector<const Value*> others;
    for (int operand : post.operands)
      if (operand >= 0) others.push_back(base.input(operand));
    if (!add(link_of(*post.op, others, result, limits))) return false;
  }
  std::vector<const Value*> others;
  for (int i = 0; i < static_cast<int>(root.inputs().size()); ++i)
    if (i != x && root.input(i)) others.push_back(root.input(i));
  return add(link_of(root.op(), others, result, limits)) && joins <= limits.joined && activations <= 1;
}

}  // namespace

bool finishes_by_program(const Node& base, const Node& root, int x, const FusionLimits& limits) {
  if (!takes_programs(base)) return false;
  if (continues_joins(base, root, x, limits)) return !finishes_plainly(base, root, x, limits);
  const auto inputs = root.inputs();
  const bool begins =
      std::all_of(base.post.begin(), base.post.end(), [&](const ir::PostOp& post) { return adds_bias(base, post); });
  if (!begins || !limits.programs.count(root.op_name())) return false;
  const Shape& y = base.output()->shape();
  const auto rank = static_cast<int64_t>(y.size());
  size_t tensors = tensors_of(base);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value* v = inputs[i];
    if (static_cast<int>(i) == x || !v) continue;
    if (!v->ranked()) return false;
    if (const Tensor* t = v->constant()) {
      if (!is_number_or_columns(*t, rank, is_image(base) ? 1 : rank - 1)) return false;
    } else if (v->dtype() != root.output()->dtype() || v->shape() != y || ++tensors > limits.sums) {
      return false;
    }
  }
  return true;
}

bool finishes_plainly(const Node& base, const Node& root, int x, const FusionLimits& limits) {
  const auto is_activation = [&](const OpDef& op) { return limits.activations.count(op.name()) > 0; };
  bool active = false, closed = false;
  size_t sums = 0;
  for (const ir::PostOp& post : base.post) {
    if (!is_activation(*post.op) && post.op->name() != "Add") return false;
    const bool sum = !is_activation(*post.op) && adds_tensor(base, post);
    closed = closed || (active && sum);
    active = active || is_activation(*post.op);
    sums += sum;
  }
  if (closed) return false;
  if (is_activation(root.op())) return !active;
  if (!root.is("Add")) return false;
  return root.input(1 - x)->constant() ? !active : sums < limits.sums && (!active || limits.sums_behind);
}

bool finishes(const Node& base, const Node& root, int x, const PassOptions& options) {
  return finishes_plainly(base, root, x, options.limits) || (!options.disabled.count(std::string(kProgramsOnResults)) &&
                                                             finishes_by_program(base, root, x, options.limits));
}

std::optional<PostOpOperands> post_op_operands(const Node& root, int i) {
  const Value *x = root.input(i), *y = root.output();
  if (!x->ranked() || !y->ranked() || x->shape() != y->shape()) return decline("the shape changes");
  if (y->elements()) return decline("it is arithmetic on shapes");
  auto inputs = root.inputs();
  while (!inputs.empty() && !inputs.back()) inputs.pop_back();
  PostOpOperands operands;
  for (size_t k = 0; k < inputs.size(); ++k) {
    if (!inputs[k]) return decline("an operand is absent");
    if (static_cast<int>(k) != i && !broadcasts_into(inputs[k], y->shape()))
      return decline("an operand would grow the result");
    operands.push_back(static_cast<int>(k) == i ? std::nullopt : std::optional<PatchValue>(inputs[k]));
  }
  return operands;
}

std::optional<Patch> append_post_op(const Match& match, int i, size_t limit,
                                    const std::function<bool(const Node&)>& accepts) {
  Node& root = match.root();
  Value* x = root.input(i);
  Node* base = x ? x->producer() : nullptr;
  if (!base || !accepts(*base)) return std::nullopt;
  if (!x->has_one_use() || base->outputs().size() != 1) return decline("the result is read elsewhere");
  if (base->post.size() >= limit) return decline("the node has all the post-operations that it may have");
  auto operands = post_op_operands(root, i);
  if (!operands) return std::nullopt;
  Patch p(match);
  p.absorb(*base);
  p.append_to(*base, *std::move(operands));
  return p;
}

std::optional<Patch> append_to_base(const Match& match, const FusionLimits& limits,
                                    bool (*finishes)(const Node&, const Node&, int, const FusionLimits&)) {
  constexpr size_t kMostPostOps = 8;
  const Node& root = match.root();
  if (!root.op().is_pointwise()) return std::nullopt;
  const auto is_base = [&](const Node& n) { return limits.bases.count(n.op_name()) > 0; };
  for (int i = 0; i < static_cast<int>(root.inputs().size()); ++i) {
    if (!root.input(i) || root.input(i)->dtype() != root.output()->dtype()) continue;
    const Node* base = root.input(i)->producer();
    if (base && is_base(*base) && !finishes(*base, root, i, limits)) {
      decline("the kernels finish their results otherwise");
      continue;
    }
    if (auto patch = append_post_op(match, i, kMostPostOps, is_base)) return patch;
  }
  return std::nullopt;
}

bool acts_on_elements_alone(const Node& n) {
  return std::all_of(n.post.begin(), n.post.end(), [&](const ir::PostOp& post) {
    return std::all_of(post.operands.begin(), post.operands.end(), [&](int operand) {
      return operand < 0 || (n.input(operand)->constant() && n.input(operand)->constant()->size() == 1);
    });
  });
}

PatchValue with_post_ops_behind(Patch& p, const Node& n, PatchValue y) {
  for (const ir::PostOp& post : n.post) {
    std::vector<PatchValue> operands;
    for (int operand : post.operands) operands.push_back(operand < 0 ? y : PatchValue(n.input(operand)));
    y = p.add(post.op->name(), std::move(operands), post.attributes);
  }
  return y;
}

bool is_plain_activation(const ir::PostOp& post) {
  static const std::set<std::string, std::less<>> names = {"HardSwish", "Relu", "Sigmoid", "Swish", "Tanh"};
  return names.contains(post.op->name()) && post.attributes == Attributes();
}

}  // namespace kiln::passes
